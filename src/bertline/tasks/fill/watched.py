"""What is watched of words for [MASK]: nothing, because texts without [MASK] have no answers."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.feedback import Json
from bertline.tasks.fill.spec import Spec

ONE_UNIT = True


def columns(spec: Spec, answers: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, list[float]]:
    """No number."""
    return {}
