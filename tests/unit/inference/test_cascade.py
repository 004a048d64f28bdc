from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.batching import Batch, pad
from bertline.inference.cascade import Cascade, unsure_rows
from bertline.inference.predictor import Backend
from bertline.statistics.activation import softmax

SURE = 50  # ids from here on make the first network sure
Array = np.ndarray[Any, Any]


class Named:
    """A back end whose first logit tells its number and whose second is the first id of the row."""

    def __init__(self, number: float, lanes: int = 2) -> None:
        self.number, self.lanes, self.outputs = number, lanes, frozenset({"logits"})
        self.batches: list[Batch] = []
        self.alone: list[bool] = []

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> Array:
        self.batches.append(batch)
        self.alone.append(alone)
        first = batch.ids[:, 0].astype(np.float32)
        margin = np.where(first >= SURE, 9.0, 0.1).astype(np.float32)
        return np.stack([first, first + margin, np.full_like(first, -self.number)], axis=1)


def cascade(threshold: float, temperature: float = 1.0) -> tuple[Cascade, Named, Named]:
    first, second = Named(1), Named(2)
    return Cascade(first, second, threshold=threshold, temperature=temperature), first, second


def answered_by(logits: Array) -> list[int]:
    return [int(-one) for one in logits[:, 2]]


BATCH = pad([[60, 5, 6, 7], [5], [61, 5], [6, 7]], 0)


def test_with_the_threshold_at_0_the_first_answers_everything() -> None:
    both, _, second = cascade(0.0)
    assert answered_by(both.compute(BATCH)) == [1, 1, 1, 1]
    assert second.batches == []


def test_with_the_threshold_above_1_the_second_answers_everything() -> None:
    both, _, second = cascade(1.0 + 1e-9)
    assert answered_by(both.compute(BATCH)) == [2, 2, 2, 2]
    np.testing.assert_array_equal(second.batches[0].ids, BATCH.ids)


def test_only_rows_that_the_first_is_not_sure_of_go_on_and_come_back_to_their_places() -> None:
    both, _, second = cascade(0.9)
    logits = both.compute(BATCH)
    assert answered_by(logits) == [1, 2, 1, 2]
    assert logits[:, 0].tolist() == [60, 5, 61, 6], "each row has its own answer"
    assert second.batches[0].ids.tolist() == [[5, 0], [6, 7]], "columns that only the others need are left out"
    assert second.batches[0].attend.tolist() == [[True, False], [True, True]]


def test_certainty_uses_the_bundles_temperature() -> None:
    batch = pad([[60, 5]], 0)
    cool, _, _ = cascade(0.95, temperature=1.0)
    warm, _, _ = cascade(0.95, temperature=9.0)
    assert answered_by(cool.compute(batch)) == [1]
    assert answered_by(warm.compute(batch)) == [2]


def test_both_back_ends_learn_that_a_batch_runs_alone() -> None:
    both, first, second = cascade(0.9)
    both.compute(BATCH, alone=True)
    both.compute(BATCH)
    assert first.alone == second.alone == [True, False]


def test_it_has_the_lanes_that_both_allow() -> None:
    both = Cascade(Named(1, lanes=4), Named(2, lanes=3), threshold=0.5, temperature=1.0)
    assert both.lanes == 3
    assert isinstance(both, Backend)


@given(
    st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0.1, 10),
)
def test_a_row_is_unsure_below_the_threshold_and_at_it_sure(
    rows: list[list[float]], threshold: float, temperature: float
) -> None:
    logits = np.array(rows)
    best = softmax(logits, temperature).max(axis=1)
    assert unsure_rows(logits, threshold, temperature).tolist() == [bool(one < threshold) for one in best]
    assert not unsure_rows(logits, float(best.min()), temperature).any()


@pytest.mark.parametrize("first_id", [5, 60])
def test_a_batch_of_one_row_stays_a_batch(first_id: int) -> None:
    both, _, _ = cascade(0.9)
    assert both.compute(pad([[first_id]], 0)).shape == (1, 3)
