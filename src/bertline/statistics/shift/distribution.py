"""Kolmogorov and Smirnov's statistic of columns of numbers, for every relabelling at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

FEW_ROWS = 2_000
_AT_ONCE = 1_000_000  # counts in memory: they stay in the cache of a CPU

Columns = Float[np.ndarray[Any, Any], "rows columns"]
Moved = Bool[np.ndarray[Any, Any], "draws rows"]
Statistics = Float[np.ndarray[Any, Any], "draws columns"]


def ks_statistics(columns: Columns, moved: Moved) -> Statistics:
    """The largest distance of the two distribution functions of each column, in units that order draws.

    The distances of small samples are few, and a test on ties errs less often than stated. So up to ``FEW_ROWS`` pooled
    rows ties are broken by the mean squared distance (Cramér and von Mises): the integer part is the largest distance
    times both numbers of rows, the fraction grows with the mean squared one.
    """
    rows, new = moved.shape[1], int(moved[0].sum())
    kind: Any = np.int32 if rows * new < 2**31 else np.int64
    found = np.zeros((len(moved), columns.shape[1]))
    step = max(1, _AT_ONCE // rows)
    for k, column in enumerate(columns.T):
        order = np.argsort(column, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(column[order]) > 0, True))
        expected = (new * (ends + 1)).astype(kind)
        for start in range(0, len(moved), step):
            gaps = np.cumsum(moved[start : start + step, order], axis=1, dtype=kind)
            gaps = gaps[:, ends] if len(ends) < rows else gaps
            gaps = gaps * kind(rows) - expected
            found[start : start + step, k] = np.maximum(gaps.max(axis=1), -gaps.min(axis=1))
            if rows <= FEW_ROWS:
                squared = (gaps.astype(np.float64) ** 2) @ np.diff(ends, prepend=-1) / rows
                found[start : start + step, k] += squared / (squared + float(rows * new) ** 2)
    return found


def mean_statistics(columns: Columns, moved: Moved) -> Statistics:
    """The distance of the two samples' means of each column, up to a factor that all draws share."""
    centred = columns - columns.mean(axis=0)
    return np.asarray(np.abs(moved.astype(np.float32) @ centred))


def joint_statistics(columns: Columns, moved: Moved, ks: Statistics) -> Float[np.ndarray[Any, Any], "draws statistics"]:
    """Two statistics of all columns together: the distance of the mean rows, and the sum of the columns' ``ks``.

    A column counts by its spread, so columns need one unit, as probabilities have. Of many labels, those that most
    texts have then say most. The first statistic sees a change in the labels' shares (black box shift estimation,
    Lipton, Wang & Smola 2018), the second also one that leaves the means as they are.
    """
    means = mean_statistics(columns, moved)
    return np.stack([(means * means).sum(axis=1), ks @ columns.std(axis=0)], axis=1)


def ks_distance(reference: Float[np.ndarray[Any, Any], " rows"], new: Float[np.ndarray[Any, Any], " others"]) -> float:
    """The largest distance of two samples' distribution functions.

    >>> ks_distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    values = np.concatenate([reference, new])
    shares = [np.searchsorted(np.sort(one), values, side="right") / len(one) for one in (reference, new)]
    return float(np.abs(shares[0] - shares[1]).max())
