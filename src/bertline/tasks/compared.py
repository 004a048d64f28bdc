"""The result of comparing two models' answers to the same inputs; each task compares its own (``compared.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True, slots=True)
class RowCompared:
    """Two models' answers to one row of a table.

    Attributes:
        first: answer of the first model, as plain JSON values for people.
        second: that of the second.
        agree: whether they agree; None where that cannot be said of this row.
        shift: difference of the scores, between 0 and 1.
    """

    first: Any
    second: Any
    agree: bool | None
    shift: float

    @classmethod
    def of(cls, first: Any, second: Any, found: Compared) -> RowCompared:
        """From the comparison of a request with this row alone."""
        return cls(first, second, all(found.agree) if found.agree else None, found.shift)
