"""What is watched of a ranker's answers: the score."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.feedback import Json
from bertline.tasks.rank.spec import Spec

ONE_UNIT = True


def columns(spec: Spec, answers: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, list[float]]:
    """A number per recorded answer, by name."""
    return {"score": [one["score"] for one in answers]}
