"""A network beside its teacher on the same labelled rows, by the figures of their task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertline.statistics.activation import Activation
from bertline.statistics.intervals import Estimate, wilson
from bertline.tasks import task
from bertline.tasks.contract import Array, Comparison, Evaluation, TaskSpec, score_key
from bertline.training.distillation.distance import DISTANCES, Answers, mean_of
from bertline.training.rows import Rows


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How well a student stands in for its teacher.

    Attributes:
        student: its figures.
        teacher: its figures.
        comparison: of the student with the teacher, paired.
        divergence: of the student's answers from the teacher's, mean over the texts, without temperature.
        activation: of their logits, which chooses the divergence.
    """

    student: Evaluation
    teacher: Evaluation
    comparison: Comparison
    divergence: float
    activation: Activation

    @classmethod
    def of(
        cls, rows: Rows, outputs: Sequence[Array], teacher: Answers, spec: TaskSpec, of_teacher: TaskSpec
    ) -> Fidelity:
        """Measure a student's outputs.

        Args:
            rows: with targets.
            outputs: of the student, for each piece.
            teacher: its answers to the same rows.
            spec: of the student.
            of_teacher: of the teacher, which differs in temperature at most.
        """
        own, wanted = rows.by_text(outputs), rows.by_text(teacher.pieces())
        measuring = task(spec.task).measure
        return cls(
            student=measuring.measure(spec, rows.targets, own, rows.readings),
            teacher=measuring.measure(of_teacher, rows.targets, wanted, rows.readings),
            comparison=measuring.compare(spec, rows.targets, own, wanted, rows.readings),
            divergence=mean_of(DISTANCES[spec.activation].divergence, outputs, teacher),
            activation=spec.activation,
        )

    @property
    def scores(self) -> tuple[Estimate, Estimate]:
        """The score of the student, and of the teacher."""
        return self.student.headline()[0][1], self.teacher.headline()[0][1]

    @property
    def ratio(self) -> Estimate | None:
        """Score of the student ÷ score of the teacher; None if the teacher's is not above 0.

        The interval is that of their difference, with the teacher's score taken as exact.
        """
        teacher, apart = self.scores[1].value, self.comparison.difference
        if teacher <= 0:
            return None
        return Estimate(*(1 + one / teacher for one in (apart.value, apart.low, apart.high)))

    @property
    def agreement(self) -> Estimate:
        """Share of the texts to which both give the same answer."""
        rows = self.student.rows
        return wilson(round(self.comparison.agreement * rows), rows)

    @property
    def divergence_text(self) -> str:
        """With its name and unit: ``KL divergence 0.0123 nats``."""
        name, unit = DISTANCES[self.activation].title
        return f"{name} {self.divergence:.4f}{unit}"

    def headline(self) -> list[tuple[str, Estimate]]:
        """What the student kept, by name."""
        score, (student, teacher), ratio = self.comparison.score, self.scores, self.ratio
        return [
            (f"{score} of the teacher", teacher),
            (f"{score} of the student", student),
            *([] if ratio is None else [("kept (student ÷ teacher)", ratio)]),
            ("student − teacher", self.comparison.difference),
            ("same answer from both", self.agreement),
        ]

    def to_json(self) -> dict[str, Any]:
        """What the student kept: ``ratio`` as ``value``, ``low``, ``high``, the rest by name."""
        compared, (student, teacher), ratio = self.comparison, self.scores, self.ratio
        key = score_key(compared.score)
        return {
            **({} if ratio is None else ratio.to_json()),
            f"teacher_{key}": teacher.to_json(),
            f"student_{key}": student.to_json(),
            "agreement": self.agreement.to_json(),
            "difference": {
                key: compared.difference.to_json(),
                "only_first": compared.only_first,
                "only_second": compared.only_second,
                "p_value": compared.p_value,
            },
        }

    def closeness(self) -> dict[str, Any]:
        """How close the student is: agreement, divergence (``kl_nats``, or ``squared_difference``) and its score."""
        return {
            "agreement": self.agreement.to_json(),
            DISTANCES[self.activation].key: self.divergence,
            score_key(self.comparison.score): self.scores[0].to_json(),
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """A trained student beside its teacher.

    Attributes:
        spec: of the student, with the temperature that the validation rows chose.
        test: on the test rows, both in fp32, as their bundles answer.
        validation: on the validation rows, by the answers that the student learned to give.
        start: likewise, of the earlier student that it started from, if any.
    """

    spec: TaskSpec
    test: Fidelity
    validation: Fidelity
    start: Fidelity | None = None

    def on_validation(self) -> dict[str, Any]:
        """How close the student is on the validation rows, by name, and how close its start is, as ``start``."""
        start = {} if self.start is None else {"start": self.start.closeness()}
        return {**self.validation.closeness(), **start}
