"""Rows as the loop sees them: tokens, targets, and where each row came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.data.batching import Batch, lay_out, plan
from bertline.text import Reading


@dataclass(frozen=True)
class Rows:
    """Tokenised rows of one split: ``targets`` are label indices, if there are any, ``lines`` the source file's."""

    readings: Sequence[Reading]
    targets: Sequence[int]
    lines: Sequence[int]
    pad_id: int = 0

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row as read."""
        return [len(one.piece.ids) for one in self.readings]

    @property
    def truth(self) -> np.ndarray[Any, Any]:
        """Label index of each row, [rows]."""
        return np.asarray(self.targets, dtype=np.int64)

    def plan(self, batch_tokens: int, seed: int | None) -> list[list[int]]:
        """The batches of one pass, by the one batching function."""
        return plan(self.lengths, batch_tokens, seed=seed)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The rows at ``indices`` as a batch."""
        return lay_out([self.readings[i].piece for i in indices], self.pad_id)

    def batches(self, batch_tokens: int) -> Iterator[tuple[list[int], Batch]]:
        """Every row once, longest first, with its indices."""
        for indices in self.plan(batch_tokens, None):
            yield indices, self.batch(indices)
