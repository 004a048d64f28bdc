"""What a changed text must not change about a ranker's answer: its score, more than a little."""

from __future__ import annotations

from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec

NEAR = 0.1  # of the highest score, by which two equal ones may differ


def same(spec: Spec, before: Score, after: Score) -> bool:
    """Whether the scores differ by at most a tenth of the highest.

    >>> same(Spec(), Score(0.5, 3, 0), Score(0.59, 3, 0)), same(Spec(), Score(0.5, 3, 0), Score(0.61, 3, 0))
    (True, False)
    """
    return moved(spec, before, after) <= NEAR


def moved(spec: Spec, before: Score, after: Score) -> float:
    """The difference as a part of the highest score."""
    return min(1.0, abs(before.score - after.score) / spec.highest)


def said(spec: Spec, answer: Score) -> tuple[str, float | None]:
    """The score."""
    return f"{answer.score:.3g}", None
