from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertline.statistics.intervals import Estimate
from bertline.statistics.slices import VALUES_PER_COLUMN, Slice, SliceFigure, accuracy_of, by_column, by_length


def test_slices_of_a_column_come_most_frequent_first() -> None:
    fields = [{"source": "web"}, {"source": "print"}, {"source": "web"}, {"source": ""}, {}]
    found = by_column(fields, accuracy_of(np.array([True, False, False, True, True])))
    assert [(one.name, one.rows, one.estimate.value) for one in found["source"]] == [
        ("web", 2, 0.5),
        ("(no value)", 2, 1.0),
        ("print", 1, 0.0),
    ]


def test_columns_keep_their_order_and_none_give_none() -> None:
    right = accuracy_of(np.array([True, True]))
    assert list(by_column([{"b": "1", "a": "2"}, {"c": "3"}], right)) == ["b", "a", "c"]
    assert by_column([], right) == {}


def test_rare_values_share_a_slice() -> None:
    values = [f"v{i}" for i in range(VALUES_PER_COLUMN)] * 2 + ["rare", "rarer", "rarest"]
    found = by_column([{"c": value} for value in values], accuracy_of(np.ones(len(values), dtype=bool)))["c"]
    assert len(found) == VALUES_PER_COLUMN + 1
    assert (found[-1].name, found[-1].rows) == ("other (3 values)", 3)


def test_a_column_of_exactly_the_limit_has_no_other_group() -> None:
    values = [f"v{i}" for i in range(VALUES_PER_COLUMN)]
    found = by_column([{"c": value} for value in values], accuracy_of(np.ones(len(values), dtype=bool)))["c"]
    assert len(found) == VALUES_PER_COLUMN
    assert not any(one.name.startswith("other") for one in found)


def test_few_rows_are_marked_by_their_interval() -> None:
    fields = [{"c": "many"}] * 400 + [{"c": "few"}] * 10
    many, few = by_column(fields, accuracy_of(np.ones(410, dtype=bool)))["c"]
    assert not many.unsure
    assert few.unsure
    assert few.to_json()["unsure"] is True


@given(st.lists(st.integers(2, 512), min_size=1, max_size=200))
def test_lengths_are_divided_into_named_ranges(lengths: list[int]) -> None:
    found = by_length(np.array(lengths), accuracy_of(np.ones(len(lengths), dtype=bool)))
    assert sum(one.rows for one in found) == len(lengths)
    assert 1 <= len(found) <= 6
    ends = [[int(end) for end in one.name.removesuffix(" tokens").split("–")] for one in found]
    assert ends[0][0] == min(lengths)
    assert ends[-1][-1] == max(lengths)
    assert all(before[-1] < after[0] for before, after in pairwise(ends))


def test_names_of_ranges() -> None:
    found = by_length(np.arange(1, 61), accuracy_of(np.arange(60) < 30), buckets=3)
    assert [(one.name, one.rows, one.estimate.value) for one in found] == [
        ("1–20 tokens", 20, 1.0),
        ("21–40 tokens", 20, 0.5),
        ("41–60 tokens", 20, 0.0),
    ]


def test_one_length_is_one_slice_and_no_rows_are_none() -> None:
    assert [one.name for one in by_length(np.full(5, 16), accuracy_of(np.ones(5, dtype=bool)))] == ["16 tokens"]
    assert by_length(np.zeros(0, dtype=np.int64), accuracy_of(np.zeros(0, dtype=bool))) == ()


def test_a_figure_without_a_bound_is_unsure_by_its_rows() -> None:
    errors = np.arange(200.0)
    mean = SliceFigure("mae", lambda some: Estimate(float(errors[some].mean()), 0.0, 1e6), share=False)
    many, few = by_column([{"c": "many"}] * 150 + [{"c": "few"}] * 50, mean)["c"]
    assert (many.unsure, few.unsure) == (False, True)
    assert many.to_json() == {
        "name": "many",
        "rows": 150,
        "mae": {"value": 74.5, "low": 0.0, "high": 1e6},
        "unsure": False,
    }


def test_a_slice_of_accuracies_as_json() -> None:
    [one] = by_length(np.full(2, 7), accuracy_of(np.array([True, False])))
    assert isinstance(one, Slice)
    assert list(one.to_json()) == ["name", "rows", "accuracy", "unsure"]
