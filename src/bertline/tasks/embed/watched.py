"""What is watched of an embedder's answers: nothing, because embeddings are watched of every model."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.embed.spec import Spec
from bertline.tasks.feedback import Json

ONE_UNIT = True


def columns(spec: Spec, answers: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, list[float]]:
    """No number."""
    return {}
