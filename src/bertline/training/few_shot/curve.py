"""The learning curve: accuracy by the number of labelled texts, and the gain to expect of twice as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from bertline.statistics.figures import PERCENT, percent
from bertline.statistics.intervals import Estimate, percentile
from bertline.statistics.power_law import slopes
from bertline.training.few_shot.shots import Shots
from bertline.training.ridge import ridge_answers

DRAWS = 10
RESAMPLES = 1000
WORTH = 0.01  # gain in accuracy that pays for labelling as much again

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy of a linear model on the frozen encoder, in cross-validation.

    Attributes:
        sizes: labelled texts per label, at most; the last one is all that the folds leave.
        accuracy: with so many.
        gain: expected of twice as many as the last, by a power law of the error through the curve.
    """

    sizes: tuple[int, ...]
    accuracy: tuple[Estimate, ...]
    gain: Estimate

    def facts(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The curve, and whether more labels would pay."""
        points = ", ".join(
            f"{percent(one.value, digits=0)} with {size}" for size, one in zip(self.sizes, self.accuracy, strict=True)
        )
        gain, low, high = (100 * one for one in (self.gain.value, self.gain.low, self.gain.high))
        verdict = "would pay" if low >= 100 * WORTH else "would hardly pay" if high < 100 * WORTH else "may pay"
        return (
            ("Learning curve", f"accuracy of the frozen encoder {points} texts per label"),
            ("More labels", f"twice as many {verdict}: {gain:+.1f} points (95{PERCENT} {low:+.1f} to {high:+.1f})"),
        )


def learning_curve(
    shots: Shots, features: Float[Tensor, "texts hidden"], parts: Sequence[Sequence[int]]
) -> LearningCurve:
    """Measure the curve at 1, 2, 4, 8, … texts per label.

    Args:
        shots: the texts.
        features: of the texts, by the frozen encoder.
        parts: the folds.
    """
    labels, seed = shots.labels.numpy(), shots.settings.seed
    most = int(np.bincount(labels).max())
    largest = max(1, most - -(-most // len(parts)))
    sizes = (*(size for size in (2**power for power in range(10)) if size < largest), largest)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(labels)) for _ in range(DRAWS)]
    wrong = np.mean([_wrong(features.numpy(), labels, parts, sizes, order) for order in orders], axis=0)
    counts = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=RESAMPLES)
    errors, error = counts @ wrong.T / len(labels), wrong.mean(axis=1)
    return LearningCurve(
        sizes,
        tuple(percentile(float(1 - error[i]), 1 - errors[:, i]) for i in range(len(sizes))),
        percentile(float(_gain(sizes, error[None])[0]), _gain(sizes, errors)),
    )


def _wrong(features: Array, labels: Array, parts: Sequence[Sequence[int]], sizes: Sequence[int], order: Array) -> Array:
    """Whether each text is wrong after learning from so many of each label in the other folds, [sizes, texts]."""
    out = np.empty((len(sizes), len(labels)))
    for part in parts:
        rest = order[~np.isin(order, part)]
        of_label = [rest[labels[rest] == label] for label in np.unique(labels)]
        for row, size in zip(out, sizes, strict=True):
            some = np.concatenate([own[:size] for own in of_label])
            row[part] = ridge_answers(features[some], labels[some], features[part]) != labels[part]
    return out


def _gain(sizes: Sequence[int], errors: Array) -> Array:
    """Fall of the error with twice as many texts."""
    return np.asarray(errors[:, -1] * (1 - 2.0 ** slopes(sizes, errors)))
