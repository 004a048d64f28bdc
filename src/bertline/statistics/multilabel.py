"""Counts and calibration where a row may have several labels: each row-label pair is one decision.

The bootstrap resamples rows rather than pairs, because the labels of one row are not independent.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.statistics.intervals import Estimate, calibration_error, percentile, resampled_sums
from bertline.statistics.metrics import BINS, ClassCounts, equal_width, f1_of

_LABELS_AT_ONCE = 32  # the calibration error of a label takes 15 columns

Flags = Bool[np.ndarray[Any, Any], "rows labels"]
Probabilities = Float[np.ndarray[Any, Any], "rows labels"]
Sums = Float[np.ndarray[Any, Any], "*resamples features"]
Array = np.ndarray[Any, Any]


def decisions(flags: Flags, given: Flags) -> tuple[Array, Array, Array]:
    """Correctly given, true and given labels, each [row, label]."""
    hits, support, predicted = (part.astype(np.float64) for part in (flags & given, flags, given))
    return hits, support, predicted


def label_counts(flags: Flags, given: Flags) -> Array:
    """Hits, true and predicted labels of each row, in this order, [row, 3 × label]."""
    return np.concatenate(decisions(flags, given), axis=1)


def class_counts(counts: Array) -> ClassCounts:
    """The sum of ``label_counts`` over rows."""
    sums = counts.sum(axis=0) if len(counts) else np.zeros(counts.shape[1])
    return ClassCounts.split(sums)


def pooled_f1(sums: Array) -> Array:
    """F1 of summed hits, true and predicted labels, [resamples, 3]."""
    return f1_of(ClassCounts(*(sums[:, i] for i in range(3))))


def _gaps(known: Flags, probability: Probabilities) -> Array:
    """Probability minus truth of each row and label in the bin of the probability, [row, label, bin]."""
    out = np.zeros((*probability.shape, BINS))
    bins = equal_width(probability.ravel()).reshape(probability.shape)
    np.put_along_axis(out, bins[..., None], (probability - known)[..., None], axis=2)
    return out


def calibration(known: Flags, probability: Probabilities, seed: int) -> tuple[Estimate, Estimate]:
    """ECE and Brier score over all row-label pairs."""
    gaps = np.zeros((len(known), BINS))
    for i in range(known.shape[1]):
        gaps += _gaps(known[:, [i]], probability[:, [i]])[:, 0]
    squares = ((probability - known) ** 2).mean(axis=1)
    drawn = resampled_sums(np.concatenate([gaps, squares[:, None]], axis=1), seed=seed)
    return (
        calibration_error(gaps.sum(axis=0), drawn[:, :-1], known.size),
        percentile(float(squares.mean()), drawn[:, -1] / len(squares)),
    )


def label_calibration(known: Flags, probability: Probabilities, seed: int) -> list[tuple[Estimate, Estimate]]:
    """ECE and Brier score of each label."""
    out: list[tuple[Estimate, Estimate]] = []
    rows = len(known)
    for start in range(0, known.shape[1], _LABELS_AT_ONCE):
        chunk = slice(start, start + _LABELS_AT_ONCE)
        gaps, squares = _gaps(known[:, chunk], probability[:, chunk]), (probability[:, chunk] - known[:, chunk]) ** 2
        labels = squares.shape[1]
        drawn = resampled_sums(np.concatenate([gaps.reshape(rows, -1), squares], axis=1), seed=seed)
        of_bins = drawn[:, :-labels].reshape(-1, labels, BINS)
        out += [
            (
                calibration_error(gaps[:, i].sum(axis=0), of_bins[:, i], rows),
                percentile(float(squares[:, i].mean()), drawn[:, i - labels] / rows),
            )
            for i in range(labels)
        ]
    return out
