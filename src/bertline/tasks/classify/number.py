"""Figures of a model that gives each text a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import Estimate, percentile, resampled_sums
from bertline.statistics.paired import randomised_p
from bertline.statistics.regression import RegressionScores, mae, moments, r_squared, regression_scores, spearman
from bertline.statistics.slices import SliceFigure
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import MISTAKES, Array, EvaluatedTexts, Fields, evaluation_json, excerpt, sliced
from bertline.text.reading import Reading

SAME = 0.1  # numbers that differ by at most this share of the truth's standard deviation count as one answer
POINTS = 1_000  # of the picture

Numbers = Float[np.ndarray[Any, Any], " rows"]


@dataclass(frozen=True, slots=True)
class NumberMistake:
    """A row whose predicted number is far from the true one; ``row`` counts from 0."""

    row: int
    excerpt: str
    truth: float
    predicted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberEvaluation(EvaluatedTexts):
    """A model of numbers, compared in slices by its mean absolute error.

    Attributes:
        label: name of the number.
        scores: the figures.
        truth_range: the smallest and the largest true number.
        points: true and predicted number of at most ``POINTS`` texts, evenly chosen among all.
    """

    label: str
    scores: RegressionScores
    truth_range: tuple[float, float]
    points: tuple[tuple[float, float], ...]

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The headline figures by name, the most important first."""
        scores = self.scores
        return (("R²", scores.r2), ("MAE", scores.mae), ("RMSE", scores.rmse), ("Spearman", scores.spearman))

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON; ``bias`` is the mean of predicted − true."""
        scores: dict[str, dict[str, float]] = as_json(self.scores)
        return scores

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        head = {"label": self.label, "truth_range": self.truth_range}
        return evaluation_json(self, head, {"points": self.points})


def figures(spec: Spec, truth: Sequence[float], logits: Array) -> dict[str, float]:
    """Mean absolute error and Spearman's correlation."""
    numbers, predicted = _numbers(truth), logits[:, 0]
    return {"mae": mae(numbers, predicted), "spearman": spearman(numbers, predicted)}


def measure(
    spec: Spec, truth: Sequence[float], logits: Array, readings: Sequence[Reading], fields: Fields, seed: int
) -> NumberEvaluation:
    """Every figure of test texts (``tasks.classify.measure.measure``)."""
    numbers, predicted = _numbers(truth), logits[:, 0]
    errors = np.abs(predicted - numbers)
    mean_error = SliceFigure("mae", lambda members: _mean(errors[members], seed), share=False)
    shown = np.unique(np.linspace(0, len(numbers) - 1, min(POINTS, len(numbers))).astype(np.int64))
    worst = np.argsort(-errors, kind="stable")[:MISTAKES]
    return NumberEvaluation(
        **sliced(mean_error, readings, fields),
        label=spec.labels[0],
        scores=regression_scores(numbers, predicted, seed=seed),
        truth_range=(float(numbers.min()), float(numbers.max())),
        points=tuple((float(numbers[i]), float(predicted[i])) for i in shown),
        mistakes=tuple(
            NumberMistake(int(i), excerpt(readings[i].input), float(numbers[i]), float(predicted[i]))
            for i in worst
            if errors[i] > 0
        ),
        seed=seed,
    )


def compare(
    specs: tuple[Spec, Spec], truth: Sequence[float], logits: Array, other_logits: Array, seed: int
) -> Comparison:
    """R² of two networks on the same texts; the p-value comes from randomly swapped predictions."""
    numbers, rows = _numbers(truth), len(truth)
    predicted, other_predicted = logits[:, 0], other_logits[:, 0]
    first, second = moments(numbers, predicted), moments(numbers, other_predicted)
    drawn = resampled_sums(np.concatenate([first, second], axis=1), seed=seed)
    width = first.shape[1]
    r2, other_r2 = (float(r_squared(part.sum(axis=0, keepdims=True), rows)[0]) for part in (first, second))
    error, other_error = np.abs(predicted - numbers), np.abs(other_predicted - numbers)
    return Comparison(
        score="R²",
        value=r2,
        difference=percentile(r2 - other_r2, r_squared(drawn[:, :width], rows) - r_squared(drawn[:, width:], rows)),
        p_value=randomised_p(first, second, lambda sums: r_squared(sums, rows), seed=seed),
        agreement=float(np.mean(np.abs(predicted - other_predicted) <= SAME * numbers.std())),
        only_first=int((error < other_error).sum()),
        only_second=int((other_error < error).sum()),
    )


def _numbers(truth: Sequence[float]) -> Numbers:
    return np.asarray(truth, dtype=np.float64)


def _mean(errors: Numbers, seed: int) -> Estimate:
    drawn = resampled_sums(errors[:, None], seed=seed)[:, 0] / len(errors)
    return percentile(float(errors.mean()), drawn)
