"""What is watched of an embedder's answers: nothing, because embeddings are watched of every model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertline.tasks.embed.spec import Spec

ONE_UNIT = True


def columns(spec: Spec, answers: Sequence[Any]) -> dict[str, list[float]]:
    """No number."""
    return {}
