"""Figures of a classifier that gives each text one label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.statistics import metrics
from bertline.statistics.as_json import as_json
from bertline.statistics.calibration import Bin, Logits, calibrated_nll, fit_temperature, reliability, softmax
from bertline.statistics.intervals import (
    Estimate,
    calibration_error,
    class_intervals,
    percentile,
    resampled_counts,
    resampled_sums,
    wilson,
)
from bertline.statistics.metrics import BINS, ClassCounts, Confusion, Indices, Probabilities
from bertline.statistics.paired import compare as compare_rows
from bertline.statistics.slices import accuracy_of
from bertline.tasks.classify.spec import Spec
from bertline.tasks.classify.truth import read_truth
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import (
    MISTAKES,
    ClassScores,
    EvaluatedTexts,
    Fields,
    Mistake,
    UnknownLabel,
    evaluation_json,
    excerpt,
    sliced,
)
from bertline.text.reading import Reading

Widened = Float[np.ndarray[Any, Any], "rows names"]
Known = Bool[np.ndarray[Any, Any], " rows"]

_WIDTH, _MASS = slice(3, 3 + BINS), slice(3 + BINS, 3 + 2 * BINS)  # columns of the gaps


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """Quality of the probabilities (lower is better); ``bins`` is the reliability table of ``ece``."""

    nll: Estimate
    brier: Estimate
    ece: Estimate
    ece_equal_mass: Estimate
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(EvaluatedTexts):
    """A classifier of one label, compared in slices by its accuracy.

    Rows of an ``unknown`` label count as wrong in the accuracy, macro-F1, MCC, Brier score and ECE: they lower the
    precision of the labels predicted for them, and the unknown label has an F1 of 0. The NLL leaves them out, because
    it is infinite at a probability of 0.

    ``calibrated`` is after temperature scaling, ``uncalibrated`` before.
    ``confusion`` has a row per true label and a column per predicted one, in the order of ``labels``; rows of unknown
    labels are not in it.
    """

    labels: tuple[str, ...]
    temperature: float
    accuracy: Estimate
    macro_f1: Estimate
    mcc: Estimate
    calibrated: ProbabilityScores
    uncalibrated: ProbabilityScores
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    unknown: tuple[UnknownLabel, ...]

    @property
    def unknown_rows(self) -> int:
        """Rows whose label the model does not know."""
        return sum(entry.rows for entry in self.unknown)

    @property
    def known_accuracy(self) -> Estimate:
        """Accuracy on the rows whose label the model knows."""
        right = sum(row[i] for i, row in enumerate(self.confusion))
        return wilson(right, self.rows - self.unknown_rows)

    @property
    def absent(self) -> tuple[str, ...]:
        """The model's labels that no row has: their recall and F1 cannot be measured."""
        return tuple(scores.label for scores in self.classes if not scores.support)

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The headline figures by name, the most important first."""
        return (
            ("accuracy", self.accuracy),
            ("macro-F1", self.macro_f1),
            ("MCC", self.mcc),
            ("NLL", self.calibrated.nll),
            ("Brier", self.calibrated.brier),
            ("ECE", self.calibrated.ece),
            ("ECE before temperature", self.uncalibrated.ece),
        )

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON; ``_uncalibrated`` is before temperature scaling."""
        overall = {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "mcc": self.mcc}
        for suffix, scores in (("", self.calibrated), ("_uncalibrated", self.uncalibrated)):
            for name in ("nll", "brier", "ece", "ece_equal_mass"):
                overall[name + suffix] = getattr(scores, name)
        figures: dict[str, dict[str, float]] = as_json(overall)
        return figures

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        parts = {
            "classes": self.classes,
            "confusion": self.confusion,
            "unknown_labels": self.unknown,
            "reliability": {"calibrated": self.calibrated.bins, "uncalibrated": self.uncalibrated.bins},
        }
        return evaluation_json(self, {"labels": self.labels, "temperature": self.temperature}, parts)


def figures(spec: Spec, truth: Sequence[str], logits: Logits) -> dict[str, float]:
    """Accuracy, macro-F1 and the loss that temperature scaling would leave."""
    rows = read_truth(truth, spec.labels)
    names = len(spec.labels) + len(rows.unknown)
    counts = ClassCounts.of(metrics.confusion_of(rows.rows, logits.argmax(axis=1), names))
    known = rows.rows < len(spec.labels)
    return {
        "accuracy": metrics.accuracy(rows.rows, logits),
        "macro_f1": float(metrics.macro_f1_of(counts)),
        "calibrated_nll": calibrated_nll(logits[known], rows.rows[known]),
    }


def tune(spec: Spec, truth: Sequence[str], logits: Logits) -> Spec:
    """The spec with the temperature of least loss on these texts. Texts of unknown labels are left out."""
    rows = read_truth(truth, spec.labels).rows
    known = rows < len(spec.labels)
    return spec.model_copy(update={"temperature": fit_temperature(logits[known], rows[known])})


def measure(
    spec: Spec, truth: Sequence[str], logits: Logits, readings: Sequence[Reading], fields: Fields, seed: int
) -> Evaluation:
    """Every figure of test texts (``tasks.classify.measure.measure``)."""
    read, known = read_truth(truth, spec.labels), len(spec.labels)
    rows, predicted, names = read.rows, logits.argmax(axis=1), (*spec.labels, *read.unknown)
    before, after = (_widened(softmax(logits, divisor), len(names)) for divisor in (1.0, spec.temperature))
    counts = metrics.confusion_of(rows, predicted, len(names))
    uncalibrated, calibrated = _probability_scores(rows, (before, after), rows < known, seed)
    return Evaluation(
        **sliced(accuracy_of(predicted == rows), readings, fields),
        labels=spec.labels,
        temperature=spec.temperature,
        accuracy=wilson(int((predicted == rows).sum()), len(rows)),
        **label_scores(counts, seed=seed),
        calibrated=calibrated,
        uncalibrated=uncalibrated,
        classes=_class_scores(counts, spec.labels),
        confusion=tuple(tuple(int(n) for n in row[:known]) for row in counts[:known]),
        mistakes=_mistakes(rows, after, names, readings),
        seed=seed,
        unknown=tuple(UnknownLabel(name, int((rows == known + i).sum())) for i, name in enumerate(read.unknown)),
    )


def compare(
    specs: tuple[Spec, Spec], truth: Sequence[str], logits: Logits, other_logits: Logits, seed: int
) -> Comparison:
    """The accuracies of two networks, with McNemar's test."""
    rows = read_truth(truth, specs[0].labels).rows
    predicted, other_predicted = logits.argmax(axis=1), other_logits.argmax(axis=1)
    paired = compare_rows(predicted == rows, other_predicted == rows, seed=seed)
    return Comparison(
        score="accuracy",
        value=float(np.mean(predicted == rows)),
        difference=paired.accuracy,
        p_value=paired.p_value,
        agreement=float(np.mean(predicted == other_predicted)),
        only_first=paired.only_first,
        only_second=paired.only_second,
    )


def _widened(probabilities: Probabilities, names: int) -> Widened:
    """Pad with a probability of 0 for each label that the model does not know."""
    more = names - probabilities.shape[1]
    return np.pad(probabilities, ((0, 0), (0, more))) if more else probabilities


def label_scores(confusion: Confusion, *, seed: int) -> dict[str, Any]:
    """``macro_f1`` and ``mcc`` of a confusion matrix, with bootstrap intervals from the same resamples."""
    counts, resampled = ClassCounts.of(confusion), resampled_counts(confusion, seed=seed)
    return {
        name: percentile(float(statistic(counts)), statistic(resampled))
        for name, statistic in (("macro_f1", metrics.macro_f1_of), ("mcc", metrics.mcc_of))
    }


def _probability_scores(
    truth: Indices, candidates: Sequence[Probabilities], known: Known, seed: int
) -> tuple[ProbabilityScores, ...]:
    """Scores of several probabilities for the same rows, all from the same bootstrap resamples."""
    features = [_features(truth, shares, known) for shares in candidates]
    resampled = resampled_sums(np.concatenate(features, axis=1), seed=seed)
    width = features[0].shape[1]
    return tuple(
        _scores(own, resampled[:, i * width : (i + 1) * width], reliability(truth, shares))
        for i, (own, shares) in enumerate(zip(features, candidates, strict=True))
    )


def _features(truth: Indices, probabilities: Probabilities, known: Known) -> np.ndarray[Any, Any]:
    """Columns to sum: NLL, 1 where there is one, Brier, gaps by equal-width bin and by equal-mass bin."""
    rows, confidence = np.arange(len(truth)), probabilities.max(axis=1)
    out = np.zeros((len(truth), _WIDTH.start + 2 * BINS))
    out[:, 0], out[:, 1] = np.where(known, metrics.nll_rows(truth, probabilities), 0.0), known
    out[:, 2] = metrics.brier_rows(truth, probabilities)
    gaps = metrics.gaps(truth, probabilities)
    out[rows, _WIDTH.start + metrics.equal_width(confidence)] = gaps
    out[rows, _MASS.start + metrics.equal_mass(confidence)] = gaps
    return out


def _scores(
    features: np.ndarray[Any, Any], resampled: np.ndarray[Any, Any], bins: tuple[Bin, ...]
) -> ProbabilityScores:
    rows, sums = len(features), features.sum(axis=0)
    return ProbabilityScores(
        nll=percentile(float(sums[0] / max(sums[1], 1)), resampled[:, 0] / np.maximum(resampled[:, 1], 1)),
        brier=percentile(float(sums[2] / rows), resampled[:, 2] / rows),
        ece=calibration_error(sums[_WIDTH], resampled[:, _WIDTH], rows),
        ece_equal_mass=calibration_error(sums[_MASS], resampled[:, _MASS], rows),
        bins=bins,
    )


def _class_scores(confusion: Confusion, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    hits, support, predicted = np.diagonal(confusion).tolist(), confusion.sum(1).tolist(), confusion.sum(0).tolist()
    return tuple(
        ClassScores(label, **class_intervals(*counts), support=counts[1], predicted=counts[2])
        for label, *counts in zip(labels, hits, support, predicted, strict=False)
    )


def _mistakes(
    truth: Indices, probabilities: Probabilities, labels: Sequence[str], readings: Sequence[Reading]
) -> tuple[Mistake, ...]:
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return tuple(
        Mistake(int(i), excerpt(readings[i].input), labels[truth[i]], labels[predicted[i]], float(confidence[i]))
        for i in worst
    )
