"""Random relabellings of pooled rows, and the p-values of statistics over them.

If the reference and the new rows come from one distribution, which rows are called new does not matter. A statistic
that is computed for the observed labels and for random ones has a rank that is uniform then, whatever the distribution,
the sizes of the two samples or the dependence among statistics (Fisher 1935; the observed one counts as one of them,
Phipson & Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

DRAWS = 499  # with the observed labels 500: 5 % is 25 of them, so a test at 5 % errs in 5 %

Moved = Bool[np.ndarray[Any, Any], "draws rows"]
Statistics = Float[np.ndarray[Any, Any], "draws columns"]
PerDraw = Float[np.ndarray[Any, Any], " draws"]


def relabellings(reference: int, new: int, *, seed: int = 0, draws: int = DRAWS) -> Moved:
    """Which rows are called new: as observed in the first draw (the last ``new`` rows), at random in the others.

    Args:
        reference: number of reference rows, which come first.
        new: number of new rows.
        seed: of the draws.
        draws: number of random ones.

    >>> relabellings(2, 1, draws=1)[0].tolist()
    [False, False, True]
    """
    moved = np.zeros((draws + 1, reference + new), dtype=bool)
    moved[:, reference:] = True
    np.random.default_rng(seed).permuted(moved[1:], axis=1, out=moved[1:])
    return moved


def p_value(statistic: PerDraw) -> float:
    """The share of draws, the observed one included, whose statistic is at least the observed one (the first).

    >>> p_value(np.array([3.0, 1.0, 2.0, 4.0]))
    0.5
    """
    return float(np.mean(statistic >= statistic[0]))


def largest(statistics: Statistics) -> tuple[float, Float[np.ndarray[Any, Any], " columns"]]:
    """One p-value of several columns of statistics together, and one of each column that allows for the others.

    Columns are standardised over the draws and compared by their maximum (single-step max-T, Westfall & Young 1993). A
    column that is the same in every draw says nothing.
    """
    spread = statistics.std(axis=0)
    scaled = (statistics - statistics.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    most = scaled.max(axis=1)
    return p_value(most), np.array([np.mean(most >= one) for one in scaled[0]])


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """P-values adjusted so that the chance of any false alarm is at most the level (Holm 1979), in their order.

    Args:
        p_values: of the family's tests.
        weights: shares of the level; None divides it equally.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    >>> holm([0.02, 0.02, 0.5], weights=[2.0, 1.0, 1.0])
    [0.04, 0.04, 0.5]
    """
    shares = np.ones(len(p_values)) if weights is None else np.asarray(weights, dtype=np.float64)
    ratios = np.asarray(p_values) / shares
    order = np.argsort(ratios, kind="stable")
    left = np.cumsum(shares[order][::-1])[::-1]  # of this test and those after it
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, ratios[order] * left))
    return [round(one, 12) for one in adjusted.tolist()]
