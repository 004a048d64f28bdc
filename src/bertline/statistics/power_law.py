"""A power law through the errors of a learning curve: error = a · size^slope (Hestness et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.intervals import Estimate

Errors = Float[np.ndarray[Any, Any], "curves sizes"]
Slopes = Float[np.ndarray[Any, Any], " curves"]
LEAST_ERROR = 1e-3  # below it a curve on a few hundred rows cannot be told from 0


def slopes(sizes: Sequence[int], errors: Errors) -> Slopes:
    """The slope of each curve, by least squares of the logarithms; from −1, as steep as 1 ÷ size, to 0.

    >>> slopes([10, 20, 40], np.array([[0.4, 0.2, 0.1], [0.3, 0.3, 0.3]])).round(6).tolist()
    [-1.0, 0.0]
    """
    if len(sizes) < 2:
        return np.zeros(len(errors))
    logs, x = np.log(np.maximum(errors, LEAST_ERROR)), np.log(sizes) - np.mean(np.log(sizes))
    return np.asarray(np.clip((logs - logs.mean(axis=1, keepdims=True)) @ x / (x @ x), -1.0, 0.0) + 0.0)


def fall(error: float, size: int, more: int, slope: Estimate) -> Estimate:
    """By how much an error falls with so many more.

    >>> round(fall(0.2, 1000, 1000, Estimate(-0.5, -0.6, -0.4)).value, 4)
    0.0586
    """
    falls = [error * (1 - ((size + more) / size) ** one) for one in (slope.value, slope.high, slope.low)]
    return Estimate(*falls)
