"""The result of comparing two models' answers to the same inputs; each task compares its own (``compared.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models' answers to the inputs of one request.

    Attributes:
        agree: whether they agree, for each part of the request that can be compared; maybe none.
        shift: mean difference of the scores, between 0 and 1.
    """

    agree: tuple[bool, ...] = ()
    shift: float = 0.0

    @classmethod
    def of(cls, pairs: Sequence[tuple[bool, float]]) -> Compared:
        """From whether each part agrees, and by how much its scores differ."""
        if not pairs:
            return cls()
        return cls(tuple(agree for agree, _ in pairs), sum(shift for _, shift in pairs) / len(pairs))
