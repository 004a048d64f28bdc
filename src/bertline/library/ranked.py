"""One text of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranked:
    """A text that was ranked for a query.

    Attributes:
        index: of the text among those that were given, from 0.
        score: its relevance; comparable between queries too.
        text: the text.
    """

    index: int
    score: float
    text: str


def ranked(texts: Sequence[str], scores: Sequence[float]) -> list[Ranked]:
    """The texts with the highest score first; equal ones as they were given."""
    order = sorted(range(len(texts)), key=lambda i: -scores[i])
    return [Ranked(i, scores[i], texts[i]) for i in order]
