"""Figures of predicted numbers, with bootstrap intervals over rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.intervals import RESAMPLES, Drawn, Estimate, drawn_counts, percentile, resampled_sums

Numbers = Float[np.ndarray[Any, Any], " rows"]
PerResample = Float[np.ndarray[Any, Any], " some"]


@dataclass(frozen=True, slots=True)
class RegressionScores:
    """Figures of predicted numbers.

    Attributes:
        r2: coefficient of determination, 1 − Σ error² / Σ (truth − mean)²: 1 is perfect, predicting the mean scores 0.
            For a constant truth it is 1 if every prediction is right, else 0, as in scikit-learn.
        mae: mean absolute error.
        rmse: root of the mean squared error.
        spearman: rank correlation (Spearman 1904), with mean ranks for ties; 0 if one side is constant.
        bias: mean of predicted − true.
    """

    r2: Estimate
    mae: Estimate
    rmse: Estimate
    spearman: Estimate
    bias: Estimate


def regression_scores(
    truth: Numbers, predicted: Numbers, *, seed: int = 0, resamples: int = RESAMPLES
) -> RegressionScores:
    """Every figure with its interval, all from the same resamples of the rows."""
    truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    errors = predicted - truth
    drawn = resampled_sums(moments(truth, predicted), seed=seed, resamples=resamples)
    whole = moments(truth, predicted).sum(axis=0, keepdims=True)
    rows = len(truth)
    ranks = [
        rank_correlation(truth, predicted, counts) for counts in drawn_counts(rows, seed=seed, resamples=resamples)
    ]
    return RegressionScores(
        r2=percentile(float(r_squared(whole, rows)[0]), r_squared(drawn, rows)),
        mae=percentile(float(np.abs(errors).mean()), drawn[:, 3] / rows),
        rmse=percentile(float(np.sqrt((errors**2).mean())), np.sqrt(drawn[:, 2] / rows)),
        spearman=percentile(spearman(truth, predicted), np.concatenate(ranks)),
        bias=percentile(float(errors.mean()), drawn[:, 4] / rows),
    )


def mae(truth: Numbers, predicted: Numbers) -> float:
    """Mean absolute error, without an interval."""
    return float(np.abs(predicted.astype(np.float64) - truth).mean())


def spearman(truth: Numbers, predicted: Numbers) -> float:
    """Rank correlation, without an interval.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 5.0]))
    -0.5
    """
    return float(rank_correlation(truth, predicted, np.ones((1, len(truth))))[0])


def product_moments(first: Numbers, second: Numbers) -> Float[np.ndarray[Any, Any], "rows 5"]:
    """Columns to sum for ``correlation``: both numbers, centred, their squares and their product."""
    first, second = (one.astype(np.float64) - one.mean() for one in (first, second))
    return np.stack([first, second, first**2, second**2, first * second], axis=1)


def correlation(sums: Float[np.ndarray[Any, Any], "some 5"], rows: int) -> PerResample:
    """Pearson's correlation from summed ``product_moments``; 0 if one side is constant.

    >>> correlation(product_moments(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])).sum(0)[None], 3).round(3)
    array([0.866])
    """
    spreads = [np.maximum(sums[:, 2 + i] - sums[:, i] ** 2 / rows, 0.0) for i in range(2)]
    covariance, spread = sums[:, 4] - sums[:, 0] * sums[:, 1] / rows, np.sqrt(spreads[0] * spreads[1])
    varied = np.minimum(*(own > 1e-12 * np.maximum(sums[:, 2 + i], 1e-300) for i, own in enumerate(spreads)))
    return np.asarray(np.where(varied, covariance / np.where(varied, spread, 1.0), 0.0))


def moments(truth: Numbers, predicted: Numbers) -> Float[np.ndarray[Any, Any], "rows 5"]:
    """Columns to sum for the figures: truth and its square, squared, absolute and signed errors.

    The truth is centred first, because squares of numbers that are large relative to their spread lose precision.
    """
    centred, errors = truth - truth.mean(), predicted - truth
    return np.stack([centred, centred**2, errors**2, np.abs(errors), errors], axis=1)


def r_squared(sums: Float[np.ndarray[Any, Any], "some features"], rows: int) -> PerResample:
    """R² of summed ``moments``."""
    spread = np.maximum(sums[:, 1] - sums[:, 0] ** 2 / rows, 0.0)
    constant = spread <= 1e-12 * np.maximum(sums[:, 1], np.finfo(np.float64).tiny)
    safe = np.where(constant, 1.0, spread)
    return np.asarray(np.where(constant, np.where(sums[:, 2] > 0, 0.0, 1.0), 1 - sums[:, 2] / safe))


def rank_correlation(truth: Numbers, predicted: Numbers, counts: Drawn) -> PerResample:
    """Spearman's correlation in each resample, with ranks within the resample; rows occur ``counts`` times."""
    rows = counts.sum(axis=1)
    true_ranks, predicted_ranks = (centred_ranks(numbers, counts) for numbers in (truth, predicted))
    covariance = (counts * true_ranks * predicted_ranks).sum(axis=1)
    spread = np.sqrt((counts * true_ranks**2).sum(axis=1) * (counts * predicted_ranks**2).sum(axis=1))
    varied = spread > 1e-9 * rows
    return np.asarray(np.where(varied, covariance / np.where(varied, spread, 1.0), 0.0))


def centred_ranks(numbers: Numbers, counts: Drawn) -> Drawn:
    """The mean rank of each row's value in each resample, minus the mean of all ranks, [resamples, rows]."""
    _, group = np.unique(numbers, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    sizes = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    return np.asarray((ranks - (counts.sum(axis=1, keepdims=True) + 1) / 2)[:, group])
