"""Accuracy on texts without labels, estimated from how sure the model is of its answers.

Three estimates, each of which assumes that confidence means the same in the new texts as in the reference:

- CBPE: the mean probability of being right, calibrated on the reference (Białek et al. 2024).
- ATC: the share of texts above the confidence above which as many reference texts lie as are right (Garg et al. 2022).
- DoC: the accuracy of the reference minus the drop in mean confidence (Guillory et al. 2021).

None can see that texts keep their look and change their label; only labels can (Garg et al. 2022, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.statistics.intervals import Estimate

RESAMPLES = 400
LEVEL = 0.9
LEAST_REFERENCE = 50  # rows
_NEWTON_STEPS = 25
_CLIP = 1e-6

PerRow = Float[np.ndarray[Any, Any], " rows"]
PerNew = Float[np.ndarray[Any, Any], " new"]
Right = Bool[np.ndarray[Any, Any], " rows"]


@dataclass(frozen=True, slots=True)
class UnlabelledAccuracy:
    """The estimated share of right answers in a window with a 90 % interval, the mean of three estimates.

    Attributes:
        estimate: with the interval of what labels of these very texts would show, if confidence means what it did.
        reference: accuracy of the reference rows.
        cbpe: calibrated mean confidence.
        atc: share above the threshold.
        doc: reference accuracy less the drop in confidence.
    """

    estimate: Estimate
    reference: float
    cbpe: float
    atc: float
    doc: float

    def to_json(self) -> dict[str, Any]:
        """All numbers by name."""
        each = {"reference": self.reference, "cbpe": self.cbpe, "atc": self.atc, "doc": self.doc}
        return {"level": LEVEL, **self.estimate.to_json(), **each}


def estimate_accuracy(reference: PerRow, right: Right, new: PerNew, *, seed: int = 0) -> UnlabelledAccuracy:
    """Estimate the accuracy of new answers.

    Args:
        reference: the confidence (largest probability) of reference answers.
        right: whether each of them is right.
        new: the confidence of new answers.
        seed: of the bootstrap.
    """
    three = _three(reference, right, new)
    rng = np.random.default_rng(seed)
    drawn = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        own = rng.integers(0, len(reference), len(reference))
        others = new[rng.integers(0, len(new), len(new))]
        each = np.array(_three(reference[own], right[own], others))
        # The methods differ in what they assume of a shift: which one holds is drawn too. And the labels of these
        # very texts are draws of a coin.
        share = np.clip(rng.choice(each), 0, 1)
        drawn[i] = rng.binomial(len(new), share) / len(new)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(np.clip(np.mean(three), 0, 1))
    estimate = Estimate(value, min(float(low), value), max(float(high), value))
    return UnlabelledAccuracy(estimate, float(right.mean()), *three)


def _three(reference: PerRow, right: Right, new: PerNew) -> tuple[float, float, float]:
    """CBPE, ATC and DoC."""
    accuracy = float(right.mean())
    intercept, slope = _calibration(reference, right)
    cbpe = float(_sigmoid(intercept + slope * _logit(new)).mean())
    threshold = np.sort(reference)[::-1][min(len(reference) - 1, round(accuracy * len(reference)))]
    atc = float((new > threshold).mean() + (new == threshold).mean() / 2)
    return cbpe, atc, accuracy - float(reference.mean() - new.mean())


def _calibration(confidence: PerRow, right: Right) -> tuple[float, float]:
    """Intercept and slope of a logistic regression of being right on the logit of the confidence (Platt 1999)."""
    design = np.stack([np.ones(len(confidence)), _logit(confidence)], axis=1)
    weights = np.array([0.0, 1.0])
    penalty = np.diag([1e-3, 1.0])  # towards the confidence as it is, where rows say little
    for _ in range(_NEWTON_STEPS):
        shares = _sigmoid(design @ weights)
        gradient = design.T @ (right - shares) - penalty @ (weights - [0.0, 1.0])
        curvature = (design * (shares * (1 - shares))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])


def _logit(shares: PerRow) -> PerRow:
    clipped = np.clip(shares, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _sigmoid(logits: PerRow) -> PerRow:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -500, 500))))
