"""The labelled texts of a bundle that are nearest to a text: rows of its table that were held out and kept.

Rows that the network learned from do not travel with a bundle, so these are of its validation and test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle.reference import Split, read_reference
from bertline.data.names import canonical
from bertline.data.targets import Target, names_of, to_json
from bertline.errors import UsageError
from bertline.statistics.activation import normalised
from bertline.statistics.vectors.neighbours import nearest
from bertline.tasks.contract import TaskSpec
from bertline.text.reading import Input, texts_of

MOST_ROWS = 1000  # that are compared, evenly spaced: each has to be embedded
SPLITS: tuple[Split, ...] = ("validation", "test")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row that a bundle carries.

    Attributes:
        input: its text, or the pair.
        target: what is true of it.
        split: which of the bundle's files has it, ``reference/SPLIT.jsonl``.
        line: of that file, from 1.
    """

    input: Input
    target: Target
    split: Split
    line: int


@dataclass(frozen=True, slots=True)
class Near:
    """A row near to a text.

    Attributes:
        row: as the bundle carries it.
        similarity: cosine of the two embeddings, −1 to 1.
    """

    row: KeptRow
    similarity: float

    @property
    def text(self) -> str:
        """Of the row; of a pair the first one."""
        return texts_of(self.row.input)[0]

    @property
    def text_pair(self) -> str | None:
        """The second text of a pair."""
        _, *second = texts_of(self.row.input)
        return second[0] if second else None

    @property
    def target(self) -> Any:
        """What is true of the row, in JSON: a label, several, a number, or entities."""
        return to_json(self.row.target)

    def has(self, label: str) -> bool | None:
        """Whether a label is true of the row, or an entity of that type is in it; None for a number."""
        if isinstance(self.row.target, float):
            return None
        return canonical(label) in map(canonical, names_of(self.row.target))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        second = {} if self.text_pair is None else {"text_pair": self.text_pair}
        place = {"split": self.row.split, "line": self.row.line}
        return {"text": self.text, **second, "target": self.target, "similarity": self.similarity, **place}


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a bundle with their embeddings, of length 1."""

    rows: tuple[KeptRow, ...]
    vectors: Array

    @classmethod
    def of(cls, rows: Sequence[KeptRow], embeddings: Array) -> Kept:
        """Rows with their embeddings, [row, hidden], of any length."""
        return cls(tuple(rows), normalised(embeddings).astype(np.float32))

    def near(self, vector: Array, most: int) -> list[Near]:
        """The rows that are nearest to an embedding, the most similar first."""
        found = nearest(normalised(vector[None]), self.vectors, min(most, len(self.rows)), lambda done: None)
        return [
            Near(self.rows[row], float(similarity))
            for row, similarity in zip(found.rows[0].tolist(), found.similarities[0].tolist(), strict=True)
        ]


def rows_of(directory: Path, spec: TaskSpec) -> list[KeptRow]:
    """The rows of a bundle that are compared with a text; none if it carries none.

    Args:
        directory: of the bundle.
        spec: of its model.

    Raises:
        UsageError: the model is an embedder, whose rows say nothing of a single text.
        BundleError: a row is damaged.
    """
    if spec.apart:
        raise UsageError("nearest texts are for models that answer, and this one embeds: index a table of texts")
    rows = []
    for split in SPLITS:
        kept = read_reference(directory, split, spec.names)
        both = zip(kept.inputs, kept.targets, strict=True)
        rows += [KeptRow(one, target, split, line) for line, (one, target) in enumerate(both, start=1)]
    places = np.unique(np.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).astype(np.int64)).tolist()
    return [rows[place] for place in places]


def kept_rows(directory: Path, spec: TaskSpec, embed: Callable[[Sequence[Input]], Array]) -> Kept:
    """The rows that a bundle carries, embedded.

    Args:
        directory: of the bundle.
        spec: of its model.
        embed: from texts to embeddings, [text, hidden].

    Raises:
        UsageError: as ``rows_of``, or the bundle carries no rows.
        BundleError: a row is damaged.
    """
    rows = rows_of(directory, spec)
    if not rows:
        raise UsageError(
            f"{directory} carries no rows to compare with: train it with --reference-rows, or leave nearest texts out"
        )
    return Kept.of(rows, embed([row.input for row in rows]))
