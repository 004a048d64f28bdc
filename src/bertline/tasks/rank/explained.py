"""What is explained of a ranker's answer: the logit of the score of a text for its query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertline.tasks.contract import Array
from bertline.tasks.measured import text_logits
from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec


def names(spec: Spec, answer: Score) -> tuple[str, ...]:
    """The score."""
    return spec.labels


def unit(spec: Spec) -> str:
    """Of what ``scores`` gives."""
    return "number" if spec.graded else "log-odds"


def scores(spec: Spec, arrays: Sequence[Sequence[Array]], name: str) -> Array:
    """One logit for each query and text."""
    return text_logits(arrays, 1).astype(np.float64)[:, 0]


def shown(spec: Spec, score: float) -> float:
    """A logit as the answer has it."""
    return score if spec.graded else float(1 / (1 + np.exp(-np.clip(score, -700, 700))))
