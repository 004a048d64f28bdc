"""Shares of a value for each word by a linear model of what the model says of sets of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.explanation.methods import PerWord, Shares, shapley
from bertline.explanation.value import Value

STEP = 0.001  # of the value: nearer to the whole, what is shown moves as it does there
LEAST_WEIGHT = 0.02  # of a set, beside the one to which what is shown moves most
PENALTIES = np.geomspace(1e-3, 1e4, 40)

PerSet = Float[np.ndarray[Any, Any], " sets"]
Kept = Bool[np.ndarray[Any, Any], "sets words"]


def linear(value: Value, shown: Callable[[float], float], *, seed: int = 0) -> Shares:
    """Weights of the words in a linear model (as LIME, Ribeiro et al. 2016) of the value of the sets of ``shapley``.

    Shapley values say what a word adds to any others; these say what the answer loses when it goes with some others. A
    set counts in proportion to its size, and by the square of how far what is shown moves per unit of the value on the
    way from the whole to it: so a fit to log-odds is one to the probability. There are few sets for so many words, so
    the weights stay near the mean of the Shapley values and what leaving each word out says; how near, generalised
    cross-validation decides (Golub, Heath & Wahba 1979). What they lack of the whole difference is spread over them by
    their sizes. docs/log.md has what else was tried.

    Args:
        value: of sets of words.
        shown: from a value to the probability or number that people see.
        seed: of the sampled orders.

    Raises:
        OverBudget: not even each word can be left out once.
    """
    start = shapley(value, seed=seed)
    words = len(value)
    if words == 1:
        return start
    near = (start.words + start.whole - value(~np.eye(words, dtype=bool))) / 2
    kept, values = value.known()
    weights = _weights(values, start.whole, shown) * (kept.sum(axis=1) + 0.01 * words)
    fitted = _Ridge(kept, values, weights, near)
    shares = _adding_up(fitted.words, start.whole - start.base)
    errors = None if start.errors is None else fitted.errors(start.errors / 2)
    return Shares(shares, start.base, start.whole, errors, start.orders)


def _adding_up(weights: PerWord, difference: float) -> PerWord:
    """Weights with a sum, in the same order and with the same signs unless what they lack exceeds all of them."""
    lack, all_of_them = difference - weights.sum(), np.abs(weights).sum()
    if abs(lack) < all_of_them:
        return np.asarray(weights + lack * np.abs(weights) / all_of_them)
    return np.asarray(weights + lack / len(weights))


def _weights(values: PerSet, whole: float, shown: Callable[[float], float]) -> PerSet:
    """How much each set counts by its value."""
    steps = values - whole
    steps[np.abs(steps) < STEP] = STEP
    moves = (np.array([shown(whole + step) for step in steps.tolist()]) - shown(whole)) / steps
    return np.asarray(moves**2 / ((moves**2).max() or 1.0) + LEAST_WEIGHT)


class _Ridge:
    """Weighted least squares with a constant, drawn towards ``near`` as far as cross-validation says."""

    def __init__(self, kept: Kept, values: PerSet, weights: PerSet, near: PerWord) -> None:
        roots, share = np.sqrt(weights), weights / weights.sum()
        rest = values - kept @ near
        self._rest = roots * (rest - share @ rest)
        left, self._scales, self._axes = np.linalg.svd(roots[:, None] * (kept - share @ kept), full_matrices=False)
        self._along = left.T @ self._rest
        penalty = min(PENALTIES, key=lambda one: self._missed(one) / max(self._free(one), 1e-9) ** 2)
        self._shrunk = self._scales**2 / (self._scales**2 + penalty)
        self._variance = self._missed(penalty) / max(self._free(penalty), 1.0)
        self._inverse = self._scales / (self._scales**2 + penalty)
        self.words: PerWord = near + self._axes.T @ (self._inverse * self._along)

    def _free(self, penalty: float) -> float:
        """Degrees of freedom that are left."""
        return float(len(self._rest) - 1 - (self._scales**2 / (self._scales**2 + penalty)).sum())

    def _missed(self, penalty: float) -> float:
        """The sum of squares that are left."""
        kept = penalty / (self._scales**2 + penalty)
        return float(self._rest @ self._rest - self._along @ self._along + ((kept * self._along) ** 2).sum())

    def errors(self, of_near: PerWord) -> PerWord:
        """Standard errors: of the fit, and of ``near`` as far as the weights stay there."""
        fit = ((self._axes.T * self._inverse) ** 2).sum(axis=1) * self._variance
        stays = np.eye(len(of_near)) - (self._axes.T * self._shrunk) @ self._axes
        return np.asarray(np.sqrt(fit + stays**2 @ of_near**2))
