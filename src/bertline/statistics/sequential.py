"""Has accuracy dropped, and since when? A test that may look at every label as it comes (CUSUM, Page 1954).

The sum of log-likelihood ratios of "accuracy fell by ``drop``" against "accuracy is what it was" is kept, and set to 0
whenever it falls below. An alarm is raised where it exceeds a threshold. Without a drop, 1 % of simulated streams of
``HORIZON`` labels exceed it, however often one looks.

The labels are taken in the order of the predictions. So it does not matter in which order they arrived, or how late.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool

DROP = 0.05
HORIZON = 10_000  # labels
LEVEL = 0.01  # false alarms per horizon
LEAST_ERROR = 0.005  # a reference without any error does not mean that there is none
_STREAMS = 4_000
_DIGITS = 3  # to which the error is rounded, so that few thresholds are simulated

Right = Bool[np.ndarray[Any, Any], " labels"]


@dataclass(frozen=True, slots=True)
class AccuracyDrop:
    """What the labels of a stream of predictions say.

    Attributes:
        baseline: accuracy that is expected.
        accuracy: of all labels.
        labels: how many there are.
        alarm: number of labels after which an alarm was raised; None for none.
        since: number of labels before the drop, as far as it can be told; None without an alarm.
        after: accuracy of the labels from there on; None without an alarm.
    """

    baseline: float
    accuracy: float
    labels: int
    alarm: int | None = None
    since: int | None = None
    after: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether accuracy dropped, and is below what is expected since then."""
        return self.after is not None and self.after < self.baseline


def accuracy_drop(right: Right, baseline: float, *, drop: float = DROP) -> AccuracyDrop:
    """Look for a drop of accuracy.

    Args:
        right: whether each answer was right, in the order of the predictions.
        baseline: accuracy that is expected.
        drop: the drop that is looked for; larger ones are found sooner.

    >>> accuracy_drop(np.array([True, True, False, True]), 0.9).alarm
    """
    error = _rounded(1 - baseline)
    steps = np.where(right, *_steps(error, drop))
    total = np.concatenate([[0.0], np.cumsum(steps)])
    lowest = np.minimum.accumulate(total)
    above = np.flatnonzero(total - lowest > threshold(error, drop))
    accuracy = float(right.mean()) if len(right) else 0.0
    if not len(above):
        return AccuracyDrop(baseline, accuracy, len(right))
    alarm = int(above[0])
    since = int(np.flatnonzero(total[: alarm + 1] == lowest[alarm])[-1])
    return AccuracyDrop(baseline, accuracy, len(right), alarm, since, float(right[since:].mean()))


def cautious_baseline(right: Right) -> float:
    """The accuracy of a reference less its standard error, lest a lucky reference raise alarms.

    Args:
        right: whether each answer to the reference was right; at least one.

    >>> round(cautious_baseline(np.array([True] * 9 + [False])), 3)
    0.805
    """
    accuracy = float(right.mean())
    return accuracy - float(np.sqrt(accuracy * (1 - accuracy) / len(right)))


@cache
def threshold(error: float, drop: float, seed: int = 0) -> float:
    """What the statistic exceeds within ``HORIZON`` labels in ``LEVEL`` of simulated streams of this error rate."""
    rng = np.random.default_rng(seed)
    right, wrong = _steps(error, drop)
    current, highest = np.zeros(_STREAMS, np.float32), np.zeros(_STREAMS, np.float32)
    for _ in range(HORIZON):
        step = np.where(rng.random(_STREAMS, np.float32) < error, np.float32(wrong), np.float32(right))
        current = np.maximum(current + step, 0)
        np.maximum(highest, current, out=highest)
    return float(np.quantile(highest, 1 - LEVEL))


def _steps(error: float, drop: float) -> tuple[float, float]:
    """The log-likelihood ratio of a right and of a wrong answer."""
    fallen = min(error + drop, 0.999)
    return float(np.log((1 - fallen) / (1 - error))), float(np.log(fallen / error))


def _rounded(error: float) -> float:
    return round(min(max(error, LEAST_ERROR), 0.99), _DIGITS)
