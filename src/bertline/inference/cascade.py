"""A small network answers where it is sure; the texts that it is not sure of go on to a large one."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.data.batching import Batch
from bertline.inference.predictor import Backend
from bertline.statistics.activation import softmax


class Cascade:
    """Two back ends as one.

    Args:
        first: answers every text.
        second: answers the texts whose most probable label has less than ``threshold`` according to ``first``.
        threshold: on the probability, 0 to 1.
        temperature: the bundle's, at which probabilities are compared with ``threshold``.
    """

    def __init__(self, first: Backend, second: Backend, *, threshold: float, temperature: float) -> None:
        self._first, self._second = first, second
        self._threshold, self._temperature = threshold, temperature

    @property
    def lanes(self) -> int:
        """As many as both allow."""
        return min(self._first.lanes, self._second.lanes)

    def logits(self, batch: Batch, *, alone: bool = False) -> Float[np.ndarray[Any, Any], "batch labels"]:
        """One row of logits per row of the batch."""
        logits = self._first.logits(batch, alone=alone)
        unsure = unsure_rows(logits, self._threshold, self._temperature)
        if unsure.any():
            logits[unsure] = self._second.logits(_only(batch, unsure), alone=alone)
        return logits


def unsure_rows(
    logits: Float[np.ndarray[Any, Any], "rows labels"], threshold: float, temperature: float
) -> Bool[np.ndarray[Any, Any], " rows"]:
    """Which rows give their most probable label less than ``threshold``.

    >>> unsure_rows(np.array([[0.0, 3.0], [0.0, 0.1]]), threshold=0.9, temperature=1.0).tolist()
    [False, True]
    """
    return np.asarray(softmax(logits, temperature).max(axis=1) < threshold)


def _only(batch: Batch, rows: Bool[np.ndarray[Any, Any], " rows"]) -> Batch:
    """Some rows of a batch, without the columns that only the others need."""
    attend = batch.attend[rows]
    longest = int(attend.sum(axis=1).max())
    return Batch(np.ascontiguousarray(batch.ids[rows, :longest]), attend[:, :longest])
