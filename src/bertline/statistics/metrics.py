"""Point values of the metrics; ``intervals`` adds their intervals.

Label metrics depend on the most probable label only, so they take probabilities or logits alike. They are functions of
three counts per class (``ClassCounts``), which makes their bootstrap cheap.

A ratio without a denominator (a class that is never predicted has no precision) is 0, as in scikit-learn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

BINS = 15  # as in Guo et al. 2017, "On Calibration of Modern Neural Networks"
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)  # a certain mistake costs 36 nats, not infinity (scikit-learn)

Indices = Int[np.ndarray[Any, Any], " rows"]  # of a label or a bin
Values = Float[np.ndarray[Any, Any], " rows"]
Probabilities = Float[np.ndarray[Any, Any], "rows labels"]
Confusion = Int[np.ndarray[Any, Any], "labels labels"]
PerClass = Float[np.ndarray[Any, Any], "*resamples labels"]
PerResample = Float[np.ndarray[Any, Any], "*resamples"]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Rows per class: hits, true (``support``) and ``predicted``; leading axes are resamples."""

    hits: PerClass
    support: PerClass
    predicted: PerClass

    @classmethod
    def of(cls, confusion: Confusion) -> "ClassCounts":
        """The counts of one confusion matrix (rows: truth, columns: predicted)."""
        counts = confusion.astype(np.float64)
        return cls(np.diagonal(counts).copy(), counts.sum(axis=1), counts.sum(axis=0))

    @classmethod
    def split(cls, counts: Float[np.ndarray[Any, Any], "*resamples counts"]) -> "ClassCounts":
        """Hits, true and predicted rows side by side, [..., 3 × class]."""
        return cls(*np.split(counts, 3, axis=-1))


Ratio = Callable[[ClassCounts], PerClass]


def confusion_of(truth: Indices, predicted: Indices, labels: int) -> Confusion:
    """Rows by true label (down) and predicted label (across)."""
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def accuracy(truth: Indices, probabilities: Probabilities) -> float:
    """Share of rows whose most probable label is the true one; 0 without rows."""
    return float(_ratio(np.sum(probabilities.argmax(axis=1) == truth), np.asarray(len(truth))))


def precision_of(counts: ClassCounts) -> PerClass:
    """Share of the rows predicted as a class that belong to it."""
    return _ratio(counts.hits, counts.predicted)


def recall_of(counts: ClassCounts) -> PerClass:
    """Share of the rows of a class that are predicted as that class."""
    return _ratio(counts.hits, counts.support)


def f1_of(counts: ClassCounts) -> PerClass:
    """Harmonic mean of precision and recall: 2 × hits / (support + predicted)."""
    return _ratio(2 * counts.hits, counts.support + counts.predicted)


def macro_of(ratio: Ratio, counts: ClassCounts) -> PerResample:
    """Mean precision, recall or F1 of the classes that are true or predicted somewhere."""
    occurring = (counts.support + counts.predicted > 0).sum(axis=-1)
    return _ratio(ratio(counts).sum(axis=-1), occurring)


RATIOS: dict[str, Ratio] = {"precision": precision_of, "recall": recall_of, "f1": f1_of}


def macro_f1_of(counts: ClassCounts) -> PerResample:
    """Mean F1 of the classes that are true or predicted somewhere (scikit-learn's ``average="macro"``)."""
    return macro_of(f1_of, counts)


def micro_of(ratio: Ratio, counts: ClassCounts) -> PerResample:
    """Precision, recall or F1 (``precision_of`` …) over all classes together."""
    parts = (counts.hits, counts.support, counts.predicted)
    return ratio(ClassCounts(*(part.sum(axis=-1, keepdims=True) for part in parts)))[..., 0]


def mcc_of(counts: ClassCounts) -> PerResample:
    """Matthews correlation, −1 to 1, for any number of classes (Gorodkin 2004); 0 if it is undefined."""
    rows = counts.support.sum(axis=-1)
    expected = (counts.support * counts.predicted).sum(axis=-1)
    covariance = counts.hits.sum(axis=-1) * rows - expected
    true_spread = rows**2 - (counts.support**2).sum(axis=-1)
    predicted_spread = rows**2 - (counts.predicted**2).sum(axis=-1)
    return _ratio(covariance, np.sqrt(true_spread * predicted_spread))


def nll_rows(truth: Indices, probabilities: Probabilities) -> Values:
    """Negative log-likelihood of each row's true label, in nats."""
    of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return -np.log(np.clip(of_truth, SMALLEST_PROBABILITY, 1.0))


def brier_rows(truth: Indices, probabilities: Probabilities) -> Values:
    """Squared distance of each row's probabilities from the truth, 0 (best) to 2.

    The mean is the Brier score in its original multi-class *sum* form (Brier 1950), with two labels twice the one-sided
    score that scikit-learn's ``brier_score_loss`` gives by default.
    """
    of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    squares = (probabilities.astype(np.float64) ** 2).sum(axis=1)
    # Σ(p − y)² = Σp² − 2p_y + 1, which rounding can take below 0
    out: Values = np.maximum(squares - 2 * of_truth + 1, 0.0)
    return out


def equal_width(confidence: Values, bins: int = BINS) -> Indices:
    """The bin (i/bins, (i+1)/bins] of each confidence."""
    out: Indices = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return out


def equal_mass(confidence: Values, bins: int = BINS) -> Indices:
    """The bin of each confidence, of bins with about equally many rows (Nixon et al. 2019); ties stay together."""
    ordered = np.sort(confidence)
    rank = np.searchsorted(ordered, confidence, side="left")
    return rank * bins // max(1, len(confidence))


def gaps(truth: Indices, probabilities: Probabilities) -> Values:
    """Confidence minus correctness (0 or 1) of each row.

    Σ over bins of |sum of the gaps| / rows is the expected calibration error of the predicted label (Naeini et al.
    2015). It is biased upwards on few rows.
    """
    right = probabilities.argmax(axis=1) == truth
    out: Values = probabilities.max(axis=1).astype(np.float64) - right
    return out


def _ratio(numerator: Any, denominator: Any) -> np.ndarray[Any, Any]:
    out = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
    return out
