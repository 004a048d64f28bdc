"""The cumulative sum (Page 1954) that tested labels until 2026-12-01, for comparison with the present test.

The sum of log-likelihood ratios of "accuracy fell by five points" against "accuracy is what it was" is kept, and set to
0 whenever it falls below. An alarm is raised where it exceeds what it exceeds in 1 % of simulated streams of
``HORIZON`` labels without a drop. It takes one accuracy for the usual one: the reference's, less its standard error.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bertline.statistics.sequential import HORIZON, LEAST_ERROR, LEVEL, Baseline

_DROP = 0.05
_STREAMS = 4_000


def alarm(right: np.ndarray[Any, Any], baseline: Baseline) -> int | None:
    """The number of labels after which an alarm is raised; None for none."""
    standard_error = (baseline.accuracy * (1 - baseline.accuracy) / baseline.rows) ** 0.5
    error = round(min(max(1 - baseline.accuracy + standard_error, LEAST_ERROR), 0.99), 3)
    total = np.concatenate([[0.0], np.cumsum(np.where(right, *_steps(error)))])
    above = np.flatnonzero(total - np.minimum.accumulate(total) > _threshold(error))
    return int(above[0]) if len(above) else None


@cache
def _threshold(error: float) -> float:
    rng = np.random.default_rng(0)
    right, wrong = _steps(error)
    current, highest = np.zeros(_STREAMS, np.float32), np.zeros(_STREAMS, np.float32)
    for _ in range(HORIZON):
        step = np.where(rng.random(_STREAMS, np.float32) < error, np.float32(wrong), np.float32(right))
        current = np.maximum(current + step, 0)
        np.maximum(highest, current, out=highest)
    return float(np.quantile(highest, 1 - LEVEL))


def _steps(error: float) -> tuple[float, float]:
    fallen = min(error + _DROP, 0.999)
    return float(np.log((1 - fallen) / (1 - error))), float(np.log(fallen / error))
