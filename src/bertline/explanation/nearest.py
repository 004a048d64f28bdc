"""The labelled texts of a bundle that are nearest to a text: rows of its table that were held out and kept.

Rows that the network learned from do not travel with a bundle, so these are of its validation and test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle.reference import ReferenceRows, read_reference
from bertline.data.targets import to_json
from bertline.errors import UsageError
from bertline.statistics.activation import normalised
from bertline.statistics.vectors.neighbours import nearest
from bertline.tasks.contract import TaskSpec

MOST_ROWS = 1000  # that are compared, evenly spaced: each has to be embedded

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Near:
    """A row near to a text.

    Attributes:
        text: of the row.
        target: what is true of it, as the row has it in JSON.
        similarity: cosine of the two embeddings, −1 to 1.
    """

    text: str
    target: Any
    similarity: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"text": self.text, "target": self.target, "similarity": self.similarity}


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a bundle with their embeddings."""

    rows: ReferenceRows
    vectors: Array

    def near(self, vector: Array, most: int) -> list[Near]:
        """The rows that are nearest to an embedding, the most similar first."""
        found = nearest(normalised(vector[None]), self.vectors, min(most, len(self.rows)), lambda done: None)
        return [
            Near(str(self.rows.inputs[row]), to_json(self.rows.targets[row]), float(similarity))
            for row, similarity in zip(found.rows[0].tolist(), found.similarities[0].tolist(), strict=True)
        ]


def kept_rows(directory: Path, spec: TaskSpec, embed: Callable[[Sequence[str]], Array]) -> Kept:
    """The rows that a bundle carries, embedded.

    Args:
        directory: of the bundle.
        spec: of its model.
        embed: from texts to embeddings, [text, hidden].

    Raises:
        UsageError: the model reads pairs, or the bundle carries no rows.
        BundleError: a row is damaged.
    """
    if spec.pairs:
        raise UsageError("nearest texts are for models that read single texts: leave them out")
    inputs: list[Any] = []
    targets: list[Any] = []
    for split in ("validation", "test"):
        rows = read_reference(directory, split, spec.names)
        inputs += rows.inputs
        targets += rows.targets
    if not inputs:
        raise UsageError(
            f"{directory} carries no rows to compare with: train it with --reference-rows, or leave nearest texts out"
        )
    places = np.unique(np.linspace(0, len(inputs) - 1, min(MOST_ROWS, len(inputs))).astype(np.int64)).tolist()
    some = ReferenceRows(tuple(inputs[place] for place in places), tuple(targets[place] for place in places))
    return Kept(some, normalised(embed([str(one) for one in some.inputs])).astype(np.float32))
