"""What a student kept of its teacher, and how close it came, on the same texts: by the figures of their task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.statistics.intervals import Estimate, wilson
from bertline.tasks import task
from bertline.tasks.contract import Comparison, Evaluation, TaskSpec, score_key
from bertline.training.distillation.distance import DISTANCES, Answers, mean_of
from bertline.training.rows import Rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """The student beside its teacher.

    Attributes:
        teacher: its score.
        student: its score.
        ratio: score of the student ÷ score of the teacher; None where the teacher has none above 0. The interval is
            that of the difference, with the teacher's score taken as it is.
        agreement: share of the texts to which both give the same answer.
        comparison: of the student with the teacher, paired.
    """

    teacher: Estimate
    student: Estimate
    ratio: Estimate | None
    agreement: Estimate
    comparison: Comparison

    @classmethod
    def of(cls, student: Evaluation, teacher: Evaluation, comparison: Comparison) -> Kept:
        """From the figures of both and their comparison on the same texts."""
        own, wanted = (one.headline()[0][1] for one in (student, teacher))
        ratio = None
        if wanted.value > 0:
            apart = comparison.difference
            ratio = Estimate(*(1 + one / wanted.value for one in (apart.value, apart.low, apart.high)))
        return cls(wanted, own, ratio, _share(comparison.agreement, student.rows), comparison)

    def headline(self) -> list[tuple[str, Estimate]]:
        """The figures by name."""
        score = self.comparison.score
        return [
            (f"{score} of the teacher", self.teacher),
            (f"{score} of the student", self.student),
            *([] if self.ratio is None else [("kept (student ÷ teacher)", self.ratio)]),
            ("student − teacher", self.comparison.difference),
            ("same answer from both", self.agreement),
        ]

    def to_json(self) -> dict[str, Any]:
        """``ratio`` as ``value``, ``low``, ``high``, the rest by name."""
        key, compared = score_key(self.comparison.score), self.comparison
        return {
            **({} if self.ratio is None else self.ratio.to_json()),
            f"teacher_{key}": self.teacher.to_json(),
            f"student_{key}": self.student.to_json(),
            "agreement": self.agreement.to_json(),
            "difference": {
                key: compared.difference.to_json(),
                "only_first": compared.only_first,
                "only_second": compared.only_second,
                "p_value": compared.p_value,
            },
        }


@dataclass(frozen=True, slots=True)
class Closeness:
    """How close a network is to the teacher.

    Attributes:
        agreement: share of the texts to which both give the same answer.
        divergence: of its answers from the teacher's, mean over the texts, without temperature.
        score: of the network alone.
        name: of the score.
        spec: of both.
    """

    agreement: Estimate
    divergence: float
    score: Estimate
    name: str
    spec: TaskSpec

    @property
    def divergence_text(self) -> str:
        """With its name and unit: ``KL divergence 0.0123 nats``."""
        name, unit = DISTANCES[self.spec.activation].title
        return f"{name} {self.divergence:.4f}{unit}"

    def to_json(self) -> dict[str, Any]:
        """By name; the divergence as ``kl_nats``, or of numbers as ``squared_difference``."""
        return {
            "agreement": self.agreement.to_json(),
            DISTANCES[self.spec.activation].key: self.divergence,
            score_key(self.name): self.score.to_json(),
        }


@dataclass(frozen=True, slots=True)
class OnValidation:
    """How close the ``student`` is to the teacher on the validation rows, and how close its ``start`` was, if any."""

    student: Closeness
    start: Closeness | None = None

    def to_json(self) -> dict[str, Any]:
        """The student's by name, the start's as ``start``."""
        return {**self.student.to_json(), **({} if self.start is None else {"start": self.start.to_json()})}


def measure_closeness(spec: TaskSpec, rows: Rows, outputs: Sequence[Array], teacher: Answers) -> Closeness:
    """Compare what a network and the teacher answer to labelled rows.

    Args:
        spec: of both.
        rows: with targets.
        outputs: of the network, for each piece.
        teacher: its answers.
    """
    own, wanted = rows.by_text(outputs), rows.by_text(teacher.pieces())
    measure = task(spec.task).measure
    compared = measure.compare(spec, rows.targets, own, wanted, rows.readings)
    name, score = measure.measure(spec, rows.targets, own, rows.readings).headline()[0]
    return Closeness(
        agreement=_share(compared.agreement, len(rows.readings)),
        divergence=mean_of(DISTANCES[spec.activation].divergence, outputs, teacher),
        score=score,
        name=name,
        spec=spec,
    )


def _share(share: float, rows: int) -> Estimate:
    return wilson(round(share * rows), rows)
