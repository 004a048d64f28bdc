"""What a student kept of its teacher, and how close it came, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.statistics.calibration import Logits, softmax
from bertline.statistics.intervals import RESAMPLES, Estimate, percentile, wilson
from bertline.statistics.metrics import Indices
from bertline.statistics.paired import PairedDifference, compare


@dataclass(frozen=True, slots=True)
class Kept:
    """The student beside its teacher.

    Attributes:
        ratio: accuracy of the student ÷ accuracy of the teacher.
        agreement: share of the rows to which both give the same label.
        difference: accuracy of the student − accuracy of the teacher.
    """

    teacher: Estimate
    student: Estimate
    ratio: Estimate
    agreement: Estimate
    difference: PairedDifference

    def to_json(self) -> dict[str, Any]:
        """``ratio`` as ``value``, ``low``, ``high``, the rest by name."""
        return {
            **self.ratio.to_json(),
            "teacher_accuracy": self.teacher.to_json(),
            "student_accuracy": self.student.to_json(),
            "agreement": self.agreement.to_json(),
            "difference": self.difference.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Closeness:
    """How close a network is to the teacher.

    Attributes:
        agreement: share of the rows to which both give the same label.
        divergence: KL of its probabilities from the teacher's, mean over the rows, in nats, without temperature.
        accuracy: of the network alone.
    """

    agreement: Estimate
    divergence: float
    accuracy: Estimate

    def to_json(self) -> dict[str, Any]:
        """By name; the divergence as ``kl_nats``."""
        return {
            "agreement": self.agreement.to_json(),
            "kl_nats": self.divergence,
            "accuracy": self.accuracy.to_json(),
        }


@dataclass(frozen=True, slots=True)
class OnValidation:
    """How close the ``student`` is to the teacher on the validation rows, and how close its ``start`` was, if any."""

    student: Closeness
    start: Closeness | None = None

    def to_json(self) -> dict[str, Any]:
        """The student's by name, the start's as ``start``."""
        return {**self.student.to_json(), **({} if self.start is None else {"start": self.start.to_json()})}


def measure_closeness(truth: Indices, logits: Logits, teacher: Logits) -> Closeness:
    """Compare what a network and the teacher answer to the rows.

    >>> rows, logits = np.array([0, 1]), np.array([[2.0, 0.0], [1.0, 0.0]])
    >>> close = measure_closeness(rows, logits, logits + 1)
    >>> close.agreement.value, close.divergence, close.accuracy.value
    (1.0, 0.0, 0.5)
    """
    own, wanted = softmax(logits), softmax(teacher)
    least = np.finfo(np.float64).tiny
    divergence = (wanted * (np.log(np.maximum(wanted, least)) - np.log(np.maximum(own, least)))).sum(axis=1)
    labels, rows = logits.argmax(axis=1), len(truth)
    return Closeness(
        agreement=wilson(int((labels == teacher.argmax(axis=1)).sum()), rows),
        divergence=float(divergence.mean()),
        accuracy=wilson(int((labels == truth).sum()), rows),
    )


def measure_kept(truth: Indices, student: Indices, teacher: Indices, *, seed: int = 0) -> Kept:
    """Compare the labels that a student and its teacher give to the rows.

    >>> rows = np.array([0, 1, 1, 0])
    >>> measure_kept(rows, np.array([0, 1, 0, 0]), rows).ratio.value
    0.75
    """
    right, wanted, rows = student == truth, teacher == truth, len(truth)
    return Kept(
        teacher=wilson(int(wanted.sum()), rows),
        student=wilson(int(right.sum()), rows),
        ratio=_ratio(right, wanted, seed),
        agreement=wilson(int((student == teacher).sum()), rows),
        difference=compare(right, wanted, seed=seed),
    )


def _ratio(right: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], seed: int) -> Estimate:
    """Of the numbers of right rows, with the bootstrap's interval over whole rows, so that it is paired."""
    rows, both = len(right), int((right & wanted).sum())
    only_student, only_teacher = int(right.sum()) - both, int(wanted.sum()) - both
    shares = np.array([both, only_student, only_teacher, rows - both - only_student - only_teacher]) / rows
    drawn = np.random.default_rng(seed).multinomial(rows, shares, size=RESAMPLES)
    ratios = (drawn[:, 0] + drawn[:, 1]) / np.maximum(drawn[:, 0] + drawn[:, 2], 1)
    return percentile((both + only_student) / max(both + only_teacher, 1), ratios)
