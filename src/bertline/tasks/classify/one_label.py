"""Figures of a classifier that gives each text one label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.statistics import metrics
from bertline.statistics.calibration import Bin, Logits, fit_temperature, reliability, softmax
from bertline.statistics.intervals import (
    Estimate,
    calibration_error,
    f1_interval,
    percentile,
    resampled_counts,
    resampled_sums,
    wilson,
)
from bertline.statistics.metrics import BINS, ClassCounts, Confusion, Indices, Probabilities
from bertline.statistics.paired import compare as compare_rows
from bertline.statistics.slices import Lengths, Slice, accuracy_of, by_column, by_length
from bertline.tasks.classify.spec import Spec
from bertline.tasks.classify.truth import read_truth
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import MISTAKES, Fields, Mistake, check_finite, evaluation_json, excerpt
from bertline.text.reading import Input, Reading

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


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One label: the number of rows that have it (``support``) and that were given it (``predicted``)."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    predicted: int


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A true label that the model does not know, and the number of its rows, all of which count as wrong."""

    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A classifier measured on ``rows`` rows.

    Rows of an ``unknown`` label count as wrong in the accuracy, macro-F1, MCC, Brier score and ECE: they lower the
    precision of the labels predicted for them, and the unknown label has an F1 of 0. The NLL leaves them out, because
    it is infinite at a probability of 0.

    ``calibrated`` is after temperature scaling, ``uncalibrated`` before.
    ``confusion`` has a row per true label and a column per predicted one, in the order of ``labels``; rows of unknown
    labels are not in it.
    """

    labels: tuple[str, ...]
    rows: int
    temperature: float
    accuracy: Estimate
    macro_f1: Estimate
    mcc: Estimate
    calibrated: ProbabilityScores
    uncalibrated: ProbabilityScores
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    by_length: tuple[Slice, ...]
    slices: Mapping[str, tuple[Slice, ...]]
    mistakes: tuple[Mistake, ...]
    seed: int
    unknown: tuple[UnknownLabel, ...] = ()

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
        figures = {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "mcc": self.mcc}
        for suffix, scores in (("", self.calibrated), ("_uncalibrated", self.uncalibrated)):
            for name in ("nll", "brier", "ece", "ece_equal_mass"):
                figures[name + suffix] = getattr(scores, name)
        return {name: estimate.to_json() for name, estimate in figures.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        parts = {
            "classes": [asdict(scores) for scores in self.classes],
            "confusion": [list(row) for row in self.confusion],
            "unknown_labels": [asdict(entry) for entry in self.unknown],
            "reliability": {
                "calibrated": [asdict(bucket) for bucket in self.calibrated.bins],
                "uncalibrated": [asdict(bucket) for bucket in self.uncalibrated.bins],
            },
        }
        return evaluation_json(self, {"labels": list(self.labels), "temperature": self.temperature}, parts)


def figures(spec: Spec, truth: Sequence[str], logits: Logits) -> dict[str, float]:
    """Accuracy and macro-F1."""
    rows = read_truth(truth, spec.labels)
    names = len(spec.labels) + len(rows.unknown)
    counts = ClassCounts.of(metrics.confusion_of(rows.rows, logits.argmax(axis=1), names))
    return {"accuracy": metrics.accuracy(rows.rows, logits), "macro_f1": float(metrics.macro_f1_of(counts))}


def tune(spec: Spec, truth: Sequence[str], logits: Logits) -> Spec:
    """The spec with the temperature of least loss on these texts. Texts of unknown labels are left out."""
    rows = read_truth(truth, spec.labels).rows
    known = rows < len(spec.labels)
    return spec.model_copy(update={"temperature": fit_temperature(logits[known], rows[known])})


def measure(
    spec: Spec, truth: Sequence[str], logits: Logits, readings: Sequence[Reading], fields: Fields, seed: int
) -> Evaluation:
    """``evaluate`` by the names of labels and the readings of texts."""
    rows = read_truth(truth, spec.labels)
    return evaluate(
        truth=rows.rows,
        logits=logits,
        temperature=spec.temperature,
        labels=spec.labels,
        lengths=[reading.read for reading in readings],
        unknown=rows.unknown,
        fields=fields,
        texts=[reading.input for reading in readings],
        seed=seed,
    )


def compare(spec: Spec, truth: Sequence[str], logits: Logits, other_logits: Logits, seed: int) -> Comparison:
    """The accuracies of two networks, with McNemar's test."""
    rows = read_truth(truth, spec.labels).rows
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


def evaluate(
    *,
    truth: Indices,
    logits: Logits,
    temperature: float,
    labels: Sequence[str],
    lengths: Lengths | Sequence[int],
    unknown: Sequence[str] = (),
    fields: Fields = (),
    texts: Sequence[Input] = (),
    seed: int = 0,
) -> Evaluation:
    """Measure a classifier by its logits.

    Args:
        truth: index of each row's true label, in ``labels`` followed by ``unknown`` (``truth.read_truth``).
        logits: before division by the temperature.
        temperature: of ``fit_temperature`` on validation data, never on these rows.
        labels: names, in the order of the logits.
        lengths: tokens of each row.
        unknown: true labels that the model does not know.
        fields: values of the columns to slice by, one mapping per row; none for no slices.
        texts: what was read, for the excerpts of mistakes; none for no mistakes.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no rows, or a logit is not finite.
    """
    _check(truth, logits, labels, lengths)
    names, known = (*labels, *unknown), len(labels)
    before, after = (_widened(softmax(logits, divisor), len(names)) for divisor in (1.0, temperature))
    counts = metrics.confusion_of(truth, logits.argmax(axis=1), len(names))
    right = logits.argmax(axis=1) == truth
    uncalibrated, calibrated = _probability_scores(truth, (before, after), truth < known, seed)
    return Evaluation(
        labels=tuple(labels),
        rows=len(truth),
        temperature=float(temperature),
        accuracy=wilson(int(right.sum()), len(truth)),
        **label_scores(counts, seed=seed),
        calibrated=calibrated,
        uncalibrated=uncalibrated,
        classes=_class_scores(counts, labels),
        confusion=tuple(tuple(int(n) for n in row[:known]) for row in counts[:known]),
        by_length=by_length(np.asarray(lengths, dtype=np.int64), accuracy_of(right)),
        slices=by_column(fields, accuracy_of(right)),
        mistakes=_mistakes(truth, after, names, texts),
        seed=seed,
        unknown=tuple(UnknownLabel(name, int((truth == known + i).sum())) for i, name in enumerate(unknown)),
    )


def _widened(probabilities: Probabilities, names: int) -> Widened:
    """Pad with a probability of 0 for each label that the model does not know."""
    more = names - probabilities.shape[1]
    return np.pad(probabilities, ((0, 0), (0, more))) if more else probabilities


def label_scores(confusion: Confusion, *, seed: int) -> dict[str, Estimate]:
    """``macro_f1`` and ``mcc`` of a confusion matrix, with bootstrap intervals from the same resamples."""
    counts, resampled = ClassCounts.of(confusion), resampled_counts(confusion, seed=seed)
    return {
        name: percentile(float(statistic(counts)), statistic(resampled))
        for name, statistic in (("macro_f1", metrics.macro_f1_of), ("mcc", metrics.mcc_of))
    }


def _check(truth: Indices, logits: Logits, labels: Sequence[str], lengths: Lengths | Sequence[int]) -> None:
    if logits.shape != (len(truth), len(labels)) or len(lengths) != len(truth):
        raise ValueError(f"{len(truth)} rows, {len(labels)} labels, {len(lengths)} lengths, logits {logits.shape}")
    check_finite(np.asarray(np.isfinite(logits).all(axis=1)))


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
    """Columns whose sums make the scores: NLL, rows that have one, Brier, gaps by equal-width and by equal-mass bin."""
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
        ClassScores(
            label=label,
            precision=wilson(hits[i], predicted[i]),
            recall=wilson(hits[i], support[i]),
            f1=f1_interval(hits[i], support[i] + predicted[i] - 2 * hits[i]),
            support=support[i],
            predicted=predicted[i],
        )
        for i, label in enumerate(labels)
    )


def _mistakes(
    truth: Indices, probabilities: Probabilities, labels: Sequence[str], texts: Sequence[Input]
) -> tuple[Mistake, ...]:
    if not texts:
        return ()
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return tuple(
        Mistake(int(i), excerpt(texts[i]), labels[truth[i]], labels[predicted[i]], float(confidence[i])) for i in worst
    )
