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


def confusion(truth: Indices, probabilities: Probabilities) -> Confusion:
    """Rows by true label (down) and most probable label (across)."""
    return confusion_of(truth, probabilities.argmax(axis=1), probabilities.shape[1])


def accuracy(truth: Indices, probabilities: Probabilities) -> float:
    """Share of rows whose most probable label is the true one; 0 without rows."""
    return float(_ratio(np.sum(probabilities.argmax(axis=1) == truth), np.asarray(len(truth))))


def macro_f1(truth: Indices, probabilities: Probabilities) -> float:
    """Unweighted mean of the classes' F1, over the classes that are true or predicted somewhere.

    (The same as scikit-learn's ``f1_score(average="macro")``.)
    """
    return float(macro_f1_of(ClassCounts.of(confusion(truth, probabilities))))


def mcc(truth: Indices, probabilities: Probabilities) -> float:
    """Matthews correlation, −1 to 1, for any number of classes (Gorodkin 2004); 0 if it is undefined."""
    return float(mcc_of(ClassCounts.of(confusion(truth, probabilities))))


def nll(truth: Indices, probabilities: Probabilities) -> float:
    """Mean negative log-likelihood of the true labels, in nats."""
    return _mean(nll_rows(truth, probabilities))


def brier(truth: Indices, probabilities: Probabilities) -> float:
    """Brier score in its original multi-class *sum* form, 0 (best) to 2 (Brier 1950).

    With two labels it is twice the one-sided score that scikit-learn's ``brier_score_loss`` gives by default.
    """
    return _mean(brier_rows(truth, probabilities))


def ece(truth: Indices, probabilities: Probabilities, *, bins: int = BINS) -> float:
    """Expected calibration error, in its usual form: over ``bins`` equal-width bins of the confidence.

    Σ over bins of |mean confidence − accuracy| × share of the rows, with the confidence of the predicted
    label and bins (low, high] (Naeini et al. 2015; 15 bins: Guo et al. 2017). It is biased upwards on few rows.
    """
    return _binned_error(truth, probabilities, equal_width, bins)


def ece_equal_mass(truth: Indices, probabilities: Probabilities, *, bins: int = BINS) -> float:
    """The same error over bins that hold equally many rows (Nixon et al. 2019, for the predicted label).

    No bin is nearly empty; equal confidences share a bin.
    """
    return _binned_error(truth, probabilities, equal_mass, bins)


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
    """Mean F1 of the classes that are true or predicted somewhere."""
    return macro_of(f1_of, counts)


def micro_of(ratio: Ratio, counts: ClassCounts) -> PerResample:
    """Precision, recall or F1 (``precision_of`` …) over all classes together."""
    parts = (counts.hits, counts.support, counts.predicted)
    return ratio(ClassCounts(*(part.sum(axis=-1, keepdims=True) for part in parts)))[..., 0]


def mcc_of(counts: ClassCounts) -> PerResample:
    """Matthews correlation of class counts (Gorodkin 2004, in the form that needs no other cells)."""
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
    """Squared distance of each row's probabilities from the truth."""
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
    """The bin of each confidence when all hold about the same number of rows; ties stay together."""
    ordered = np.sort(confidence)
    rank = np.searchsorted(ordered, confidence, side="left")
    return rank * bins // max(1, len(confidence))


def gaps(truth: Indices, probabilities: Probabilities) -> Values:
    """Confidence minus correctness (0 or 1) of each row; their sums per bin make the calibration error."""
    right = probabilities.argmax(axis=1) == truth
    out: Values = probabilities.max(axis=1).astype(np.float64) - right
    return out


def _binned_error(
    truth: Indices, probabilities: Probabilities, binning: Callable[[Values, int], Indices], bins: int
) -> float:
    if not len(truth):
        return 0.0
    of_row = binning(probabilities.max(axis=1), bins)
    sums = np.bincount(of_row, weights=gaps(truth, probabilities), minlength=bins)
    return float(np.abs(sums).sum() / len(truth))


def _mean(values: Values) -> float:
    return float(values.mean()) if values.size else 0.0


def _ratio(numerator: Any, denominator: Any) -> np.ndarray[Any, Any]:
    out = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
    return out
