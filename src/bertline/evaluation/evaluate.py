"""Everything that is said about a classifier on one set of labelled rows, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.errors import TrainingError
from bertline.evaluation import metrics
from bertline.evaluation.calibration import Bin, Logits, reliability, softmax
from bertline.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    calibration_error,
    f1_interval,
    percentile,
    resampled_counts,
    resampled_sums,
    wilson,
)
from bertline.evaluation.metrics import BINS, ClassCounts, Confusion, Probabilities, Rows
from bertline.evaluation.slices import Slice, by_column, by_length

MISTAKES = 12
EXCERPT_CHARACTERS = 280


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """How good the probabilities are, lower is better; ``bins`` is the reliability table of ``ece``."""

    nll: Estimate
    brier: Estimate
    ece: Estimate
    ece_equal_mass: Estimate
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One label: ``support`` rows are of it, ``predicted`` rows were given it."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    predicted: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        scores = {name: getattr(self, name).to_json() for name in ("precision", "recall", "f1")}
        return {"label": self.label, **scores, "support": self.support, "predicted": self.predicted}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row given the wrong label; ``row`` counts from 0, ``excerpt`` is the text's beginning."""

    row: int
    excerpt: str
    truth: str
    predicted: str
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {
            "row": self.row,
            "excerpt": self.excerpt,
            "truth": self.truth,
            "predicted": self.predicted,
            "confidence": self.confidence,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A classifier measured on ``rows`` rows.

    ``calibrated`` is after temperature scaling, ``uncalibrated`` before.
    ``confusion`` has a row per true label and a column per predicted one, in the order of ``labels``.
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

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures people ask for first, by name, most wanted first."""
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
        found = {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "mcc": self.mcc}
        for suffix, scores in (("", self.calibrated), ("_uncalibrated", self.uncalibrated)):
            for name in ("nll", "brier", "ece", "ece_equal_mass"):
                found[name + suffix] = getattr(scores, name)
        return {name: estimate.to_json() for name, estimate in found.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        return {
            "rows": self.rows,
            "labels": list(self.labels),
            "temperature": self.temperature,
            "intervals": {"level": LEVEL, "resamples": RESAMPLES, "seed": self.seed},
            "metrics": self.metrics(),
            "classes": [one.to_json() for one in self.classes],
            "confusion": [list(row) for row in self.confusion],
            "reliability": {
                "calibrated": [one.to_json() for one in self.calibrated.bins],
                "uncalibrated": [one.to_json() for one in self.uncalibrated.bins],
            },
            "by_length": [one.to_json() for one in self.by_length],
            "slices": {column: [one.to_json() for one in parts] for column, parts in self.slices.items()},
            "mistakes": [one.to_json() for one in self.mistakes],
        }


def evaluate(
    *,
    truth: Rows,
    logits: Logits,
    temperature: float,
    labels: Sequence[str],
    lengths: Rows | Sequence[int],
    fields: Sequence[Mapping[str, str]] = (),
    texts: Sequence[str] = (),
    seed: int = 0,
) -> Evaluation:
    """Measure a classifier by its logits.

    Args:
        truth: index of each row's true label.
        logits: before division by the temperature.
        temperature: of ``fit_temperature`` on validation data, never on these rows.
        labels: names, in the order of the logits.
        lengths: tokens of each row.
        fields: values of the columns to slice by, one mapping per row; none for no slices.
        texts: what was read, for the excerpts of mistakes; none for no mistakes.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no rows, or a logit is not finite.
    """
    _check(truth, logits, labels, lengths)
    before, after = softmax(logits), softmax(logits, temperature)
    counts = metrics.confusion(truth, logits)
    right = logits.argmax(axis=1) == truth
    uncalibrated, calibrated = _probability_scores(truth, (before, after), seed)
    return Evaluation(
        labels=tuple(labels),
        rows=len(truth),
        temperature=float(temperature),
        accuracy=wilson(int(right.sum()), len(truth)),
        **label_scores(counts, seed=seed),
        calibrated=calibrated,
        uncalibrated=uncalibrated,
        classes=_class_scores(counts, labels),
        confusion=tuple(tuple(int(n) for n in row) for row in counts),
        by_length=by_length(np.asarray(lengths, dtype=np.int64), right),
        slices=by_column(fields, right),
        mistakes=_mistakes(truth, after, labels, texts),
        seed=seed,
    )


def label_scores(confusion: Confusion, *, seed: int) -> dict[str, Estimate]:
    """``macro_f1`` and ``mcc`` of a confusion matrix, with bootstrap intervals from the same resamples."""
    counts, resampled = ClassCounts.of(confusion), resampled_counts(confusion, seed=seed)
    return {
        name: percentile(float(statistic(counts)), statistic(resampled))
        for name, statistic in (("macro_f1", metrics.macro_f1_of), ("mcc", metrics.mcc_of))
    }


def _check(truth: Rows, logits: Logits, labels: Sequence[str], lengths: Rows | Sequence[int]) -> None:
    if logits.shape != (len(truth), len(labels)) or len(lengths) != len(truth):
        raise ValueError(f"{len(truth)} rows, {len(labels)} labels, {len(lengths)} lengths, logits {logits.shape}")
    if not len(truth):
        raise TrainingError("there are no rows to evaluate on: give a larger test ratio or a test file with rows")
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise TrainingError(
            f"the model's logits are not finite on {broken:,} of {len(truth):,} rows: "
            "its weights diverged, so train again with a lower learning rate"
        )


def _probability_scores(truth: Rows, candidates: Sequence[Probabilities], seed: int) -> tuple[ProbabilityScores, ...]:
    """Scores of several probabilities for the same rows, all from the same bootstrap resamples."""
    features = [_features(truth, one) for one in candidates]
    resampled = resampled_sums(np.concatenate(features, axis=1), seed=seed)
    width = features[0].shape[1]
    return tuple(
        _scores(own, resampled[:, i * width : (i + 1) * width], reliability(truth, one))
        for i, (own, one) in enumerate(zip(features, candidates, strict=True))
    )


def _features(truth: Rows, probabilities: Probabilities) -> np.ndarray[Any, Any]:
    """Columns whose sums make the scores: NLL, Brier, gaps by equal-width bin, gaps by equal-mass bin."""
    rows, confidence = np.arange(len(truth)), probabilities.max(axis=1)
    out = np.zeros((len(truth), 2 + 2 * BINS))
    out[:, 0], out[:, 1] = metrics.nll_rows(truth, probabilities), metrics.brier_rows(truth, probabilities)
    gaps = metrics.gaps(truth, probabilities)
    out[rows, 2 + metrics.equal_width(confidence)] = gaps
    out[rows, 2 + BINS + metrics.equal_mass(confidence)] = gaps
    return out


def _scores(
    features: np.ndarray[Any, Any], resampled: np.ndarray[Any, Any], bins: tuple[Bin, ...]
) -> ProbabilityScores:
    rows, sums = len(features), features.sum(axis=0)
    width, mass = slice(2, 2 + BINS), slice(2 + BINS, None)
    return ProbabilityScores(
        nll=percentile(float(sums[0] / rows), resampled[:, 0] / rows),
        brier=percentile(float(sums[1] / rows), resampled[:, 1] / rows),
        ece=calibration_error(sums[width], resampled[:, width], rows),
        ece_equal_mass=calibration_error(sums[mass], resampled[:, mass], rows),
        bins=bins,
    )


def _class_scores(confusion: Confusion, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    hits, support, predicted = (
        [int(n) for n in some] for some in (np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0))
    )
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
    truth: Rows, probabilities: Probabilities, labels: Sequence[str], texts: Sequence[str]
) -> tuple[Mistake, ...]:
    if not texts:
        return ()
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return tuple(
        Mistake(int(i), _excerpt(texts[i]), labels[truth[i]], labels[predicted[i]], float(confidence[i])) for i in worst
    )


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARACTERS else line[: EXCERPT_CHARACTERS - 1].rstrip() + "…"
