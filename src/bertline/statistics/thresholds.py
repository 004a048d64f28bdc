"""The probability threshold of a label, for texts with several labels."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

DEFAULT = 0.5
# Simulated: with 5 positive texts, a chosen threshold costs a label with right probabilities 3.7 points of F1 on other
# texts, and brings one with too low probabilities 3.1; with 10 it costs 2.5 and brings 4.0 (docs/log.md).
LEAST_POSITIVES = 10

Truth = Bool[np.ndarray[Any, Any], " rows"]
Probability = Float[np.ndarray[Any, Any], " rows"]


def best_threshold(truth: Truth, probability: Probability, *, least_positives: int = LEAST_POSITIVES) -> float:
    """The threshold of highest F1 on validation data, halfway between the two probabilities that it separates.

    It stays 0.5 if there are fewer than ``least_positives`` positive rows, or if no other threshold has a higher F1.
    Ties go to the threshold nearest to 0.5. The F1 on these rows is optimistic: judge the threshold on other rows.

    >>> best_threshold(np.array([True, True, False, False]), np.array([0.4, 0.3, 0.2, 0.1]), least_positives=2)
    0.25
    """
    positives = int(truth.sum())
    if positives < least_positives:
        return DEFAULT
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order].astype(np.float64)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + positives)
    # Rows of one probability are on the same side of every threshold. Below the last row there is nothing to separate.
    ends = np.append(ranked[1:] < ranked[:-1], True)
    halfway = np.append((ranked[:-1] + ranked[1:]) / 2, ranked[-1] / 2)
    at_default = int((ranked >= DEFAULT).sum())
    bar = f1[at_default - 1] if at_default else 0.0
    best = f1[ends].max()
    if best <= bar:
        return DEFAULT
    chosen = halfway[ends & (f1 == best)]
    return float(chosen[np.abs(chosen - DEFAULT).argmin()])
