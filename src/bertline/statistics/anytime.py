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
from typing import Any

import numpy as np
from jaxtyping import Float, Int

_STEPS = 40  # of a bisection: from 1 to 1e-12
_TINY = 1e-12

Numbers = Int[np.ndarray[Any, Any], " arms"]
Values = Float[np.ndarray[Any, Any], " arms"]

_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])


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
    return _one(rate, max(rate.value, bound)) if rate.value < bound else _one(rate, bound)


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
    one, other = (_alone(first.trials), _alone(first.hits)), (_alone(second.trials), _alone(second.hits))
    return float(evidence(*one, *other, margin)[0])


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


def evidence(first: Numbers, first_hits: Numbers, second: Numbers, second_hits: Numbers, margin: float) -> Values:
    """``log_higher`` of many pairs.

    Args:
        first: trials of the first rates.
        first_hits: their hits.
        second: trials of the second rates.
        second_hits: their hits.
        margin: between -1 and 1.
    """
    misses, other_misses = first - first_hits, second - second_hits
    shares = [np.divide(hits, np.maximum(of, 1)) for hits, of in ((first_hits, first), (second_hits, second))]
    low, high = np.full(len(first), max(0.0, -margin)), np.full(len(first), min(1.0, 1 - margin))
    for _ in range(_STEPS):  # the slope of the negative log-likelihood along the edge of the hypothesis only rises
        rate = (low + high) / 2
        ahead = rate + margin
        slope = misses / _positive(1 - rate) - first_hits / _positive(rate)
        slope += other_misses / _positive(1 - ahead) - second_hits / _positive(ahead)
        low, high = np.where(slope < 0, rate, low), np.where(slope < 0, high, rate)
    rate = (low + high) / 2
    allowed = shares[1] <= shares[0] + margin  # then what was seen is likeliest within the hypothesis
    lost = np.where(allowed, _log_likelihood(first, first_hits, shares[0]), _log_likelihood(first, first_hits, rate))
    lost = lost + np.where(
        allowed,
        _log_likelihood(second, second_hits, shares[1]),
        _log_likelihood(second, second_hits, rate + margin),
    )
    return np.asarray(_log_mixture(first, first_hits) + _log_mixture(second, second_hits) - lost)


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


def _one(rate: Rate, at: float) -> float:
    trials, hits = _alone(rate.trials), _alone(rate.hits)
    return float(_log_mixture(trials, hits)[0] - _log_likelihood(trials, hits, np.array([at]))[0])


def _alone(number: int) -> Numbers:
    return np.array([number])


def _positive(values: Values) -> Values:
    return np.maximum(values, _TINY)


def _log_mixture(trials: Numbers, hits: Numbers) -> Values:
    """Log-likelihood under the mixture: B(hits + ½, misses + ½) / π."""
    return np.asarray(_lgamma(hits + 0.5) + _lgamma(trials - hits + 0.5) - _lgamma(trials + 1.0) - math.log(math.pi))


def _log_likelihood(trials: Numbers, hits: Numbers, rate: Values) -> Values:
    return np.asarray(hits * np.log(_positive(rate)) + (trials - hits) * np.log(_positive(1 - rate)))
