"""A small network answers where it is confident; a large one answers the other texts."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.data.batching import Batch
from bertline.inference.backend import Backend
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

    @property
    def outputs(self) -> frozenset[str]:
        """Those of the second, which is the larger network."""
        return self._second.outputs

    def compute(
        self, batch: Batch, output: str = "logits", *, alone: bool = False
    ) -> Float[np.ndarray[Any, Any], "batch *axes"]:
        """One output for each text of the batch; all but the logits are the second's."""
        if output != "logits":
            return self._second.compute(batch, output, alone=alone)
        logits = self._first.compute(batch, alone=alone)
        unsure = unsure_rows(logits, self._threshold, self._temperature)
        if unsure.any():
            logits[unsure] = self._second.compute(_only(batch, unsure), alone=alone)
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
    segments = None if batch.segments is None else np.ascontiguousarray(batch.segments[rows, :longest])
    return Batch(np.ascontiguousarray(batch.ids[rows, :longest]), attend[:, :longest], segments)
