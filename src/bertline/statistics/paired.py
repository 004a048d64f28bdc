"""Paired tests of two models on the same rows, which detect smaller differences than two intervals do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.statistics.intervals import RESAMPLES, Estimate, percentile

_CELLS_AT_ONCE = 2_000_000  # swaps × rows in memory: 16 MB of float64

Features = Float[np.ndarray[Any, Any], "rows features"]
Score = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
Right = Bool[np.ndarray[Any, Any], " rows"]
Times = Float[np.ndarray[Any, Any], " texts"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Accuracy of the first minus accuracy of the second, and how many rows only one of them has right.

    ``p_value`` is McNemar's exact one: the chance of so uneven a split of those rows if neither were better.
    """

    accuracy: Estimate
    only_first: int
    only_second: int
    p_value: float


def compare(first: Right, second: Right, *, seed: int = 0, resamples: int = RESAMPLES) -> PairedDifference:
    """Compare two classifiers by the rows that each has right."""
    rows = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = mcnemar(only_first, only_second)
    if rows == 0:
        return PairedDifference(Estimate(0.0, -1.0, 1.0), 0, 0, p_value)
    shares = np.array([only_first, only_second, rows - only_first - only_second]) / rows
    drawn = np.random.default_rng(seed).multinomial(rows, shares, size=resamples)
    estimate = percentile((only_first - only_second) / rows, (drawn[:, 0] - drawn[:, 1]) / rows)
    return PairedDifference(estimate, only_first, only_second, p_value)


def verdict(difference: Estimate, p_value: float) -> int:
    """1: the first is better; −1: the second; 0: no significant difference (0 in the interval, or p ≥ 0.05)."""
    significant = p_value < 0.05 and (difference.low > 0 or difference.high < 0)
    return (1 if difference.value > 0 else -1) if significant else 0


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p-value (McNemar 1947): a binomial test of the rows that only one has right.

    >>> mcnemar(9, 1)
    0.021484375
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1  # whole numbers: exact for any number of rows
    for k in range(fewer):
        ways = ways * (tosses - k) // (k + 1)
        total += ways
    share: float = 2 * total / (1 << tosses)
    return min(1.0, share)


def median_ratio(own: Times, other: Times) -> Estimate:
    """The ratio of the medians of two models' times for the same texts, with its 95 % interval by resampled texts.

    >>> median_ratio(np.array([2.0, 4.0]), np.array([1.0, 2.0])).value
    2.0
    """
    drawn = np.random.default_rng(0).integers(0, len(own), (RESAMPLES, len(own)))
    ratios = np.median(own[drawn], axis=1) / np.median(other[drawn], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(float(np.median(own) / np.median(other)), float(low), float(high))


def randomised_p(
    first: Features, second: Features, score: Score, *, seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """Two-sided p-value of a difference in scores, by swapping both models' answers on random rows (Yeh 2000).

    If neither model is better, its answers are interchangeable. The p-value is the share of random swaps whose
    difference is at least as large as the observed one, which counts as one of them.

    Args:
        first: columns whose sums make the score of the first, [rows, features].
        second: the same of the second.
        score: from summed features, [resamples, features], to scores, [resamples].
        seed: of the swaps.
        resamples: number of swaps.
    """
    total, difference = (first + second).sum(axis=0), first - second
    observed = abs(float((score(first.sum(axis=0)[None]) - score(second.sum(axis=0)[None]))[0]))
    rng = np.random.default_rng(seed)
    at_least, step = 1, max(1, _CELLS_AT_ONCE // max(1, len(first)))
    for start in range(0, resamples, step):
        signs = rng.integers(0, 2, size=(min(step, resamples - start), len(first))) * 2.0 - 1
        swapped = signs @ difference
        gaps = np.abs(score((total + swapped) / 2) - score((total - swapped) / 2))
        at_least += int((gaps >= observed - 1e-12).sum())
    return at_least / (resamples + 1)
