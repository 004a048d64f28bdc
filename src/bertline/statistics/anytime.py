"""Tests of rates that may be looked at after every trial: mixture martingales of Robbins.

For trials that succeed with probability p, the likelihood of what was seen under a Beta(½, ½) mixture of all rates,
divided by its likelihood under p, is a martingale with mean 1. So the chance that it ever reaches 1/α is at most α,
however often one looks and whenever one stops (Ville's inequality). The rates at which it is below 1/α are a
confidence sequence (Robbins 1970; Howard et al. 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"). For two rates the product of both is a martingale too, whichever of the two is tried next, and its minimum
over all pairs of rates that a hypothesis allows is evidence against that hypothesis.

Only the numbers of trials and hits count. So several servers can add theirs up in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = 40  # of a bisection: from 1 to 1e-12
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some independent trials were hits."""

    trials: int = 0
    hits: int = 0

    @property
    def value(self) -> float:
        """Share of hits; 0 without trials."""
        return self.hits / self.trials if self.trials else 0.0

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.trials + other.trials, self.hits + other.hits)


def log_above(rate: Rate, bound: float) -> float:
    """Evidence that a rate is above a bound: it ever reaches log(1/α) with probability α at most if it is not.

    >>> log_above(Rate(100, 50), 0.2) > math.log(1000), log_above(Rate(100, 10), 0.2) > 0
    (True, False)
    """
    return _log_mixture(rate) - _log_likelihood(rate, min(rate.value, bound))  # the likeliest one that is not above it


def log_below(rate: Rate, bound: float) -> float:
    """Evidence that a rate is below a bound, as ``log_above``."""
    return log_above(Rate(rate.trials, rate.trials - rate.hits), 1 - bound)


def log_higher(first: Rate, second: Rate, margin: float) -> float:
    """Evidence that the second rate is higher than the first plus a margin.

    If it is not, this ever reaches log(1/α) with probability α at most.

    >>> log_higher(Rate(500, 5), Rate(500, 100), 0.01) > math.log(1000)
    True
    >>> log_higher(Rate(500, 5), Rate(500, 5), 0.01) > 0
    False
    """
    behind = _within(first, second, margin)
    seen = _log_mixture(first) + _log_mixture(second)
    return seen - _log_likelihood(first, behind[0]) - _log_likelihood(second, behind[1])


def log_lower(first: Rate, second: Rate, margin: float) -> float:
    """Evidence that the second rate is lower than the first plus a margin, as ``log_higher``.

    >>> log_lower(Rate(5000, 0), Rate(1000, 0), 0.05) > math.log(100)
    True
    """
    return log_higher(_failures(first), _failures(second), -margin)


def difference(first: Rate, second: Rate, level: float = 0.95) -> tuple[float, float]:
    """Confidence sequence of the second rate minus the first.

    >>> low, high = difference(Rate(1000, 20), Rate(1000, 120))
    >>> 0 < low < 0.1 < high < 0.2
    True
    """
    need = -math.log(1 - level)
    return _edge(first, second, need), -_edge(_failures(first), _failures(second), need)


def _within(first: Rate, second: Rate, margin: float) -> tuple[float, float]:
    """The likeliest pair of rates of which the second is at most the first plus the margin."""
    if second.value <= first.value + margin:
        return first.value, second.value
    misses, other_misses = first.trials - first.hits, second.trials - second.hits
    low, high = max(0.0, -margin) + _TINY, min(1.0, 1 - margin) - _TINY
    for _ in range(_STEPS):  # along the edge, the slope of the negative log-likelihood only rises
        rate = (low + high) / 2
        ahead = rate + margin
        slope = misses / (1 - rate) - first.hits / rate + other_misses / (1 - ahead) - second.hits / ahead
        low, high = (rate, high) if slope < 0 else (low, rate)
    return low, low + margin


def _edge(first: Rate, second: Rate, need: float) -> float:
    """The smallest margin against which there is not enough evidence."""
    low, high = -1.0, second.value - first.value
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = log_higher(first, second, middle) >= need
        low, high = (middle, high) if enough else (low, middle)
    return low


def _failures(rate: Rate) -> Rate:
    return Rate(rate.trials, rate.trials - rate.hits)


def _log_mixture(rate: Rate) -> float:
    """Log-likelihood under the mixture: B(hits + ½, misses + ½) / π."""
    misses = rate.trials - rate.hits
    return math.lgamma(rate.hits + 0.5) + math.lgamma(misses + 0.5) - math.lgamma(rate.trials + 1) - math.log(math.pi)


def _log_likelihood(rate: Rate, at: float) -> float:
    return rate.hits * math.log(max(at, _TINY)) + (rate.trials - rate.hits) * math.log(max(1 - at, _TINY))
