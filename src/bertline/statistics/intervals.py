"""95 % intervals of figures: Wilson's for proportions, the bootstrap for everything else.

A bootstrap resample of n rows is a vector of n counts, so sums over rows are one matrix product for all resamples,
without a Python loop over resamples × rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.metrics import RATIOS, ClassCounts, Confusion, PerResample, Ratio

LEVEL = 0.95
RESAMPLES = 1_000
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_CELLS_AT_ONCE = 2_000_000  # resamples × rows in memory: 16 MB of float64

Resampled = Float[np.ndarray[Any, Any], " resamples"]
Features = Float[np.ndarray[Any, Any], "rows features"]
Drawn = Float[np.ndarray[Any, Any], "some rows"]
ResampledSums = Float[np.ndarray[Any, Any], "resamples features"]
Sums = Float[np.ndarray[Any, Any], " features"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, ``low`` ≤ ``value`` ≤ ``high``."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Length of the interval."""
        return self.high - self.low

    def to_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


def wilson(successes: int, trials: int) -> Estimate:
    """A proportion with Wilson's score interval (Wilson 1927), which holds for few rows and at 0 and 1.

    Without trials, the value is 0 and the interval is [0, 1].

    >>> wilson(0, 0)
    Estimate(value=0.0, low=0.0, high=1.0)
    """
    if trials == 0:
        return Estimate(0.0, 0.0, 1.0)
    z = NormalDist().inv_cdf(TAILS[1])
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * (share * (1 - share) / trials + z * z / (4 * trials * trials)) ** 0.5
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def f1_interval(hits: int, misses: int) -> Estimate:
    """F1 of one class, with an interval; ``misses`` counts its false negatives and false positives.

    F1 = 2J / (1 + J) grows with J = hits / (hits + misses), a proportion, so Wilson's interval for J gives one for F1.
    (A bootstrap of three right rows would give [1, 1].)
    """
    jaccard = wilson(hits, hits + misses)
    return Estimate(*(2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high)))


def class_intervals(hits: int, support: int, predicted: int) -> dict[str, Estimate]:
    """Precision, recall and F1 of one class, by its rows that are right, true and predicted."""
    return {
        "precision": wilson(hits, predicted),
        "recall": wilson(hits, support),
        "f1": f1_interval(hits, support + predicted - 2 * hits),
    }


def averaged(
    average: Callable[[Ratio, ClassCounts], PerResample], counts: ClassCounts, resampled: ClassCounts
) -> dict[str, Estimate]:
    """Precision, recall and F1 over all classes, by ``metrics.micro_of`` or ``macro_of``."""
    return {
        name: percentile(float(average(ratio, counts)), average(ratio, resampled)) for name, ratio in RATIOS.items()
    }


def percentile(value: float, resampled: Resampled) -> Estimate:
    """The bootstrap's percentile interval (Efron 1979), widened where it does not reach ``value``."""
    low, high = np.quantile(resampled, TAILS)
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def bounded_percentile(value: float, resampled: Resampled, units: int) -> Estimate:
    """As ``percentile``, of a mean of values from 0 to 1 over so many units that are resampled.

    Where all of them are 0 or all are 1, so is every resample; then the interval is Wilson's. A single unit says
    nothing about others, and all of its resamples are itself; then it is the whole range.

    >>> bounded_percentile(0.5, np.array([0.5, 0.5]), 1)
    Estimate(value=0.5, low=0.0, high=1.0)
    """
    if min(value, 1 - value) > 1e-12:
        if units == 1:
            return Estimate(value, 0.0, 1.0)
        return percentile(value, resampled)
    return wilson(round(value) * units, units)


def bounded_difference(value: float, resampled: Resampled, units: int) -> Estimate:
    """As ``percentile``, of the difference of two such means; of a single unit it is the whole range, −1 to 1."""
    return Estimate(value, -1.0, 1.0) if units == 1 else percentile(value, resampled)


def calibration_error(bin_sums: Sums, resampled: ResampledSums, rows: int) -> Estimate:
    """A binned calibration error Σ|s_b| / n with an interval, of the bins' gap sums s_b and their resamples.

    |·| turns noise into error, so resamples have a larger error than the data, and the data than the truth: for a
    calibrated model, the percentile interval contained the true 0 in none of 300 simulations, the basic bootstrap's in
    two of three. The low end here is therefore the value minus the 97.5 % point of Σ|s*_b − s_b| / n, an upper bound
    on the noise (triangle inequality); the high end is the percentile's. Measured coverage: 96 to 100 % (100, 300 and
    2,000 rows, true errors of 0, 1, 3 and 10 %).
    """
    value = float(np.abs(bin_sums).sum() / rows)
    noise = np.abs(resampled - bin_sums).sum(axis=1) / rows
    high = np.quantile(np.abs(resampled).sum(axis=1) / rows, TAILS[1])
    return Estimate(value, max(0.0, value - float(np.quantile(noise, TAILS[1]))), max(value, float(high)))


def drawn_counts(rows: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[Drawn]:
    """Counts of each row in each bootstrap resample, [resamples, rows], in chunks of resamples."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // max(1, rows))
    for start in range(0, resamples, step):
        chunk = min(step, resamples - start)
        drawn = rng.integers(0, rows, size=(chunk, rows))
        drawn += rows * np.arange(chunk)[:, None]
        yield np.bincount(drawn.ravel(), minlength=chunk * rows).reshape(chunk, rows).astype(np.float64)


def resampled_sums(features: Features, *, seed: int, resamples: int = RESAMPLES) -> ResampledSums:
    """Column sums of ``features`` in each bootstrap resample of its rows; the same rows for all columns."""
    drawn = drawn_counts(len(features), seed=seed, resamples=resamples)
    return np.concatenate([counts @ features for counts in drawn])


def resampled_counts(confusion: Confusion, *, seed: int, resamples: int = RESAMPLES) -> ClassCounts:
    """Class counts of bootstrap resamples: multinomial draws of the confusion matrix's non-empty cells."""
    labels = len(confusion)
    truth, predicted = np.nonzero(confusion)
    cells = confusion[truth, predicted]
    rows = int(cells.sum())
    rng = np.random.default_rng(seed)
    parts: list[ClassCounts] = []
    step = max(1, _CELLS_AT_ONCE // max(1, len(cells)))
    for start in range(0, resamples, step):
        drawn = rng.multinomial(rows, cells / rows, size=min(step, resamples - start)).astype(np.float64)
        hit = truth == predicted
        parts.append(
            ClassCounts(
                _sums_by(drawn[:, hit], truth[hit], labels),
                _sums_by(drawn, truth, labels),
                _sums_by(drawn, predicted, labels),
            )
        )
    return ClassCounts(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("hits", "support", "predicted")))


def _sums_by(drawn: np.ndarray[Any, Any], keys: np.ndarray[Any, Any], labels: int) -> np.ndarray[Any, Any]:
    out = np.zeros((len(drawn), labels))
    if len(keys):
        order = np.argsort(keys, kind="stable")
        present, starts = np.unique(keys[order], return_index=True)
        out[:, present] = np.add.reduceat(drawn[:, order], starts, axis=1)
    return out
