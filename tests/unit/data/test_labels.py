"""Labels are ordered, and an index is a place in that order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.labels import Labels, ordered
from bertline.errors import DataError


def test_the_labels_of_targets_are_each_once_and_in_order() -> None:
    labels = Labels.of(["pos", "neg", ("pos", "mixed")])
    assert labels.names == ("mixed", "neg", "pos")
    assert len(labels) == 3
    assert [labels.index(name) for name in labels.names] == [0, 1, 2]


@given(st.lists(st.integers(-(10**9), 10**9), unique=True))
def test_integers_are_in_numerical_order(numbers: list[int]) -> None:
    assert ordered(map(str, numbers)) == tuple(map(str, sorted(numbers)))


def test_a_single_word_among_integers_makes_the_order_alphabetical() -> None:
    assert ordered(["10", "9", "none"]) == ("10", "9", "none")
    assert ordered(["²", "10", "9"]) == ("10", "9", "²")
    assert ordered(["9" * 5_000, "10"]) == ("10", "9" * 5_000)


@given(st.sets(st.text()), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_rows(names: set[str], random: object) -> None:
    shuffled = sorted(names, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert ordered(shuffled) == ordered(names)


def test_a_label_that_is_not_there() -> None:
    with pytest.raises(DataError, match="the label 'mixed' is unknown: the labels are neg, pos"):
        Labels(("neg", "pos")).index("mixed")
