"""How fast two bundles answer the same texts on this machine, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bertline.bundle.engine import RESERVED as TORCH
from bertline.errors import BundleError, UsageError
from bertline.export.exporter import FP32
from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.text import Input

ROUNDS = 5
TOKENS = 6_000  # of a round, roughly: a second or two


@dataclass(frozen=True, slots=True)
class AnswerSpeed:
    """Texts per second, tokenising included, with the engine ``engine`` of both; medians over the rounds."""

    teacher_texts_s: float
    student_texts_s: float
    engine: str

    @property
    def ratio(self) -> float:
        """Speed-up of the student over the teacher."""
        return self.student_texts_s / self.teacher_texts_s


def side_by_side(teacher: Path, student: Path, texts: Sequence[Input], lengths: Sequence[int]) -> AnswerSpeed:
    """Time both bundles on the first of ``texts`` (``lengths`` are in tokens), alternating between the two."""
    some = max(1, min(len(texts), int(TOKENS * len(texts) / sum(lengths))))
    engine, both = _predictors(teacher, student)
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for predictor, spent in zip(both, seconds, strict=True):
            began = time.perf_counter()
            predictor.predict(texts[:some])
            if number:  # the first round warms up
                spent.append(time.perf_counter() - began)
    slow, fast = (some / median(spent) for spent in seconds)
    return AnswerSpeed(slow, fast, engine)


def _predictors(*bundles: Path) -> tuple[str, list[TextClassifier]]:
    """Both with their fp32 engines if these work here, else both with PyTorch."""
    try:
        return FP32.name, [load_predictor(one, engine=FP32.name, verify=False) for one in bundles]
    except (BundleError, UsageError):
        return TORCH, [load_predictor(one, engine=TORCH, verify=False, device="cpu") for one in bundles]
