"""Temperature scaling, and the reliability table that shows its effect."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize_scalar

from bertline.statistics.activation import softmax
from bertline.statistics.intervals import Estimate, wilson
from bertline.statistics.metrics import BINS, Indices, Probabilities, Values, equal_width

__all__ = ["Bin", "binned", "calibrated_nll", "fit_temperature", "reliability", "softmax"]

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0

Logits = Float[np.ndarray[Any, Any], "rows labels"]
Right = Bool[np.ndarray[Any, Any], " rows"]


def fit_temperature(logits: Logits, truth: Indices) -> float:
    """The temperature of least negative log-likelihood on validation data (Guo et al. 2017, section 4.2).

    The loss is convex in 1/T, so it has one minimum in log T, which is searched between log 0.05 and log 20.
    T stays 1 if no other value is better. If every row is right, the loss would keep falling as T approaches 0, because
    such data say nothing about mistakes: then T is at least 1, and a row's label counts (n + 1) / (n + 2) and the next
    one the rest, as Platt (1999) smooths the targets of n rows. A handful of right rows is no reason to be sure.
    """
    rows, labels = logits.shape
    if not rows or labels < 2:
        return 1.0

    places = np.arange(rows)
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    expected, lowest = shifted[places, truth], LOWEST_TEMPERATURE
    if np.array_equal(logits.argmax(axis=1), truth):
        others = shifted.copy()
        others[places, truth] = -np.inf
        expected, lowest = ((rows + 1) * expected + others.max(axis=1)) / (rows + 2), 1.0

    def loss(log_temperature: float) -> float:  # from logits, because probabilities would underflow to a flat loss
        scale = float(np.exp(-log_temperature))
        return float((np.log(np.exp(shifted * scale).sum(axis=1)) - expected * scale).mean())

    bounds = (np.log(lowest), np.log(HIGHEST_TEMPERATURE))
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x)) if best.fun < loss(0.0) else 1.0


def calibrated_nll(logits: Logits, truth: Indices) -> float:
    """The mean negative log-likelihood after temperature scaling on the same rows; 0 without rows."""
    if not len(truth):
        return 0.0
    scaled = logits.astype(np.float64) / fit_temperature(logits, truth)
    scaled -= scaled.max(axis=1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).mean())


@dataclass(frozen=True, slots=True)
class Bin:
    """The rows with a confidence in (``low``, ``high``]: their mean confidence and their accuracy."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: Estimate


def reliability(truth: Indices, probabilities: Probabilities, *, bins: int = BINS) -> tuple[Bin, ...]:
    """The non-empty equal-width bins of the confidence, which ``intervals.calibration_error`` summarises."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    return binned(confidence, probabilities.argmax(axis=1) == truth, bins=bins)


def binned(confidence: Values, right: Right, *, bins: int = BINS) -> tuple[Bin, ...]:
    """The non-empty equal-width bins of the answers' confidence, with the accuracy in each."""
    of_row = equal_width(confidence, bins)
    rows = np.bincount(of_row, minlength=bins)
    sums = np.bincount(of_row, weights=confidence, minlength=bins)
    hits = np.bincount(of_row, weights=right, minlength=bins)
    return tuple(
        Bin(i / bins, (i + 1) / bins, int(rows[i]), float(sums[i] / rows[i]), wilson(int(hits[i]), int(rows[i])))
        for i in map(int, np.flatnonzero(rows))
    )
