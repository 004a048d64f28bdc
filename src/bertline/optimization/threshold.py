"""The threshold of a cascade, chosen so that the loss of accuracy is bounded with a stated confidence.

A cascade loses a row if it is wrong where the large network is right. The thresholds are tested from the safest down,
each by an exact binomial test of "the loss is larger than allowed", until the first that is not rejected. The chance
that an accepted threshold loses more than allowed is then at most one minus the confidence (fixed sequence testing;
Angelopoulos et al. 2021, "Learn then Test").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

STEPS = 40


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold on the probability, the share of rows that go on to the large network, and what is lost.

    ``lost`` counts rows lost less rows won. ``bound`` is the upper confidence bound on the rows lost, and ``certified``
    says whether it is within what is allowed. If no threshold is, because the rows are too few to tell, the one that
    kept within it *on these rows* is given, and nothing is promised.
    """

    threshold: float  # above 1: every row goes on
    passed_on: float
    lost: float
    bound: float
    certified: bool


def choose_threshold(
    confidence_of_first: Float[np.ndarray[Any, Any], " rows"],
    first_right: Bool[np.ndarray[Any, Any], " rows"],
    second_right: Bool[np.ndarray[Any, Any], " rows"],
    *,
    allowed: float,
    confidence: float,
) -> Chosen:
    """The lowest threshold that keeps the loss within ``allowed``.

    Args:
        confidence_of_first: the small network's probability of its own answer.
        first_right: whether that answer is right.
        second_right: whether the large network's is.
        allowed: share of the rows that may be lost.
        confidence: of the promise.
    """
    levels = np.unique(np.quantile(confidence_of_first, np.linspace(1, 0, STEPS)))[::-1]
    rows = len(first_right)
    best = Chosen(1.0 + 1e-9, 1.0, 0.0, upper_bound(0, rows, confidence), False)
    for threshold in levels:
        passed = confidence_of_first < threshold
        lost = int((~passed & ~first_right & second_right).sum())
        gained = int((~passed & first_right & ~second_right).sum())
        bound, net = upper_bound(lost, rows, confidence), (lost - gained) / rows
        certified = bound <= allowed
        if not certified and (best.certified or net > allowed):
            break
        best = Chosen(float(threshold), float(passed.mean()), net, bound, certified)
    return best


def upper_bound(events: int, rows: int, confidence: float) -> float:
    """The exact one-sided upper bound on a share (Clopper and Pearson 1934).

    >>> round(upper_bound(0, 853, 0.95), 5)
    0.00351
    """
    from scipy.stats import beta

    if events >= rows:
        return 1.0
    return float(beta.ppf(confidence, events + 1, rows - events))
