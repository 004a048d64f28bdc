"""The figures that an evaluation is made of, as single numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bertline.statistics import metrics
from bertline.statistics.intervals import calibration_error
from bertline.statistics.metrics import BINS, ClassCounts

Array = np.ndarray[Any, Any]


def confusion(truth: Array, probabilities: Array) -> Array:
    return metrics.confusion_of(truth, probabilities.argmax(axis=1), probabilities.shape[1])


def macro_f1(truth: Array, probabilities: Array) -> float:
    return float(metrics.macro_f1_of(ClassCounts.of(confusion(truth, probabilities))))


def mcc(truth: Array, probabilities: Array) -> float:
    return float(metrics.mcc_of(ClassCounts.of(confusion(truth, probabilities))))


def nll(truth: Array, probabilities: Array) -> float:
    return float(metrics.nll_rows(truth, probabilities).mean())


def brier(truth: Array, probabilities: Array) -> float:
    return float(metrics.brier_rows(truth, probabilities).mean())


def ece(
    truth: Array, probabilities: Array, *, binning: Callable[..., Array] = metrics.equal_width, bins: int = BINS
) -> float:
    rows_of_bins = binning(probabilities.max(axis=1), bins)
    sums = np.bincount(rows_of_bins, weights=metrics.gaps(truth, probabilities), minlength=bins)
    return calibration_error(sums, sums[None], len(truth)).value


def ece_equal_mass(truth: Array, probabilities: Array, *, bins: int = BINS) -> float:
    return ece(truth, probabilities, binning=metrics.equal_mass, bins=bins)
