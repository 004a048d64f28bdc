"""What is watched of a ranker's answers: the score."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec

ONE_UNIT = True


def columns(spec: Spec, answers: Sequence[Score]) -> dict[str, list[float]]:
    """A number per answer, by name."""
    return {"score": [one.score for one in answers]}
