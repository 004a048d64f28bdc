"""Sequences of equal length from a stream of tokens, without padding, in an order that follows from (seed, position).

Several short texts share a sequence, and a long text goes on in the next one ("full sentences", Liu et al. 2019,
section 4.2). A pass over the stream starts at a random token and wraps around, so that texts are cut at other places
each time, and no token is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from bertline.training.pretraining.tokens import Stream

Ids = Int[np.ndarray[Any, Any], "sequences tokens"]
Indices = Int[np.ndarray[Any, Any], " sequences"]


@dataclass
class Sequences:
    """[CLS] and the next ``length - 1`` tokens of the stream, and so on.

    Attributes:
        stream: of tokens; if it is shorter than a sequence, sequences are as short.
        length: tokens of a sequence, [CLS] included.
        cls_id: of the tokenizer.
        seed: of the order.

    >>> Sequences(np.arange(10, 15), 4, 0).at(np.array([0, 1])).tolist()
    [[0, 10, 11, 12], [0, 13, 14, 10]]
    """

    stream: Stream
    length: int
    cls_id: int
    seed: int = 0
    _pass: tuple[int, int, Indices] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.length = min(self.length, len(self.stream) + 1)

    def __len__(self) -> int:
        """Sequences of one pass; the last one is filled up with the beginning of the stream."""
        return -(-len(self.stream) // (self.length - 1))

    def at(self, indices: Indices, start: int = 0) -> Ids:
        """The sequences with these numbers, of a pass that starts at the token ``start``."""
        first = start + indices[:, None] * (self.length - 1)
        ids = np.empty((len(indices), self.length), dtype=np.int64)
        ids[:, 0] = self.cls_id
        ids[:, 1:] = self.stream[(first + np.arange(self.length - 1)) % len(self.stream)]
        return ids

    def drawn(self, position: int, count: int) -> Ids:
        """The next ``count`` sequences at a position of all passes one after the other, each in its own order."""
        parts = []
        while count:
            number, within = divmod(position, len(self))
            start, order = self._order(number)
            some = order[within : within + count]
            parts.append(self.at(some, start))
            position, count = position + len(some), count - len(some)
        return np.concatenate(parts)

    def _order(self, number: int) -> tuple[int, Indices]:
        if self._pass is None or self._pass[0] != number:
            rng = np.random.default_rng((self.seed, number))
            self._pass = number, int(rng.integers(len(self.stream))), rng.permutation(len(self))
        return self._pass[1:]
