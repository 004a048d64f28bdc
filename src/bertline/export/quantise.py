"""Eight bits for weights and activations: one scale per column of a weight, one range per activation.

Weights are symmetric, one scale for each output, and use seven of their bits (−63…63): x86 processors without VNNI
add two products in 16 bits, and 2 · 255 · 63 still fits. So an engine answers alike wherever it is computed, and the
eighth bit buys no accuracy that can be measured (docs/log.md). Activations are affine (0…255) with a range fixed
beforehand on validation texts, not taken from each batch: so the answer to a text does not depend on the texts
beside it. Outliers of single channels are moved from the activation into the weight first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int8

BALANCE = 0.85  # measured: 0.5 and 0.7 let more labels change, 1.0 no fewer (docs/log.md)
SEVEN_BITS = 63  # greatest weight of a product
EIGHT_BITS = 127  # greatest entry of an embedding table, which enters no product


Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of an activation that eight bits tell apart; 0 always is exact."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Width of one of the 255 steps."""
        return max(max(self.high, 0.0) - min(self.low, 0.0), 1e-9) / 255

    @property
    def zero_point(self) -> int:
        """The step that stands for 0."""
        return round(min(max(-min(self.low, 0.0) / self.scale, 0), 255))


@dataclass(frozen=True)
class Channels:
    """The least and the greatest value of each channel of an activation, as they were observed, [channels]."""

    low: Array
    high: Array

    def range(self, divisor: Array | None = None) -> Range:
        """The range of all channels together, after each was divided by its ``divisor``."""
        shrink = np.ones_like(self.low) if divisor is None else divisor
        return Range(float((self.low / shrink).min()), float((self.high / shrink).max()))

    def merged(self, other: Channels) -> Channels:
        """What was observed in either."""
        return Channels(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def balance(self, weight: Array, share: float = BALANCE) -> Array:
        """Divisors that move the outliers of an activation's channels into the weight: [channels].

        Dividing a channel by s and multiplying its column of the weight by s changes no product; with
        s = (largest activation)^share / (largest weight)^(1 − share) both are easier to tell in eight bits (Xiao et
        al. 2023, "SmoothQuant", equation 4).

        Args:
            weight: of the product, [outputs, channels].
            share: of the difficulty that the weight takes over.
        """
        reach = np.maximum(np.abs(self.low), np.abs(self.high))
        divisor = np.maximum(reach, 1e-5) ** share / np.maximum(np.abs(weight).max(axis=0), 1e-5) ** (1 - share)
        return np.asarray(divisor / np.exp(np.log(divisor).mean()), dtype=np.float32)


Observed = Mapping[str, Channels]


def quantise_rows(
    weight: Float[np.ndarray[Any, Any], "rows columns"], largest: int = EIGHT_BITS
) -> tuple[Int8[np.ndarray[Any, Any], "rows columns"], Float[np.ndarray[Any, Any], " rows"]]:
    """A matrix as int8 with one scale per row: ``weight ≈ quantised · scale``.

    >>> quantise_rows(np.array([[1.0, -0.5], [0.0, 0.0]]))[0].tolist()
    [[127, -64], [0, 0]]
    """
    scale = np.abs(weight).max(axis=1) / largest
    scale[scale == 0] = 1.0
    quantised = np.clip(np.round(weight / scale[:, None]), -largest, largest).astype(np.int8)
    return quantised, scale.astype(np.float32)
