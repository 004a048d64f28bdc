"""The texts of a split as the loop sees them: pieces of tokens, their targets, and where each text came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bertline.data.batching import Batch, lay_out, plan
from bertline.data.targets import Target
from bertline.tasks.contract import TaskSpec
from bertline.text import Piece, Reading
from bertline.text.reading import by_text
from bertline.training.parallel.ranks import ALONE, Ranks

Array = np.ndarray[Any, Any]

# Where a target is shorter than another of its batch, as those of tokens are: the losses of torch leave it out.
IGNORED = -100


@dataclass(frozen=True)
class Rows:
    """Texts that were read, as rows of batches: a row is a piece, and a long text may have several.

    Attributes:
        readings: of the texts.
        targets: of each text, if there are any.
        lines: where each text stands in its file.
        pad_id: of the tokenizer.
    """

    readings: Sequence[Reading]
    targets: Sequence[Target]
    lines: Sequence[int]
    pad_id: int = 0

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def pieces(self) -> list[Piece]:
        """All pieces of all texts."""
        return [piece for reading in self.readings for piece in reading.pieces]

    @cached_property
    def text_of(self) -> list[int]:
        """The number of each piece's text."""
        return [text for text, reading in enumerate(self.readings) for _ in reading.pieces]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each piece."""
        return [len(piece.ids) for piece in self.pieces]

    def at_most(self, count: int) -> Rows:
        """All texts, or ``count`` of them, evenly spaced."""
        if len(self.readings) <= count:
            return self
        return self.take([number * len(self.readings) // count for number in range(count)])

    def take(self, texts: Sequence[int]) -> Rows:
        """The texts with these numbers."""
        readings, targets = [self.readings[i] for i in texts], [self.targets[i] for i in texts]
        return Rows(readings, targets, [self.lines[i] for i in texts], self.pad_id)

    def arrays(self, spec: TaskSpec) -> list[Array]:
        """The target of each piece, as the loss of the task takes it."""
        each = zip(self.targets, self.readings, strict=True)
        return [array for target, reading in each for array in spec.arrays(target, reading)]

    def by_text(self, arrays: Sequence[Array]) -> list[list[Array]]:
        """Arrays of all pieces as those of each text."""
        return by_text(self.readings, arrays)

    def plan(
        self, batch_tokens: int, seed: int | None, groups: Sequence[Sequence[int]] | None = None
    ) -> list[list[int]]:
        """The batches of one pass, by the one batching function; the pieces of a group are neighbours in one batch."""
        lengths = self.lengths
        if groups is None:
            return plan(lengths, batch_tokens, seed=seed)
        longest = [max(lengths[i] for i in group) for group in groups]
        batches = plan(longest, batch_tokens // max(map(len, groups)), seed=seed)
        return [[i for number in batch for i in groups[number]] for batch in batches]

    def batch(self, indices: Sequence[int]) -> Batch:
        """The pieces at ``indices`` as a batch."""
        return lay_out([self.pieces[i] for i in indices], self.pad_id)

    def batches(self, batch_tokens: int, ranks: Ranks = ALONE) -> Iterator[tuple[list[int], Batch]]:
        """Every piece once, longest first, with its indices; of the batches, the ranks' own."""
        for indices in ranks.own(self.plan(batch_tokens, None)):
            yield indices, self.batch(indices)


def stacked(targets: Sequence[Array], *, fill: int = IGNORED) -> Array:
    """The targets of a batch as one array; shorter ones are filled up, with ``IGNORED`` by default.

    >>> stacked([np.array([1, 2]), np.array([3])]).tolist()
    [[1, 2], [3, -100]]
    """
    if targets[0].ndim == 0:
        return np.array(targets)
    longest = max(map(len, targets))
    out = np.full((len(targets), longest, *targets[0].shape[1:]), fill, dtype=targets[0].dtype)
    for row, target in zip(out, targets, strict=True):
        row[: len(target)] = target
    return out
