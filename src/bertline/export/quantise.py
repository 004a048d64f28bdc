"""Quantise weights and activations to int8.

Weights are symmetric, with one scale per output, and use seven bits (−63…63): x86 processors without VNNI add two
products in 16 bits, and 2 · 255 · 63 still fits. So an engine gives the same answers on every processor, and the
eighth bit brings no measurable accuracy (docs/log.md). Activations are affine (0…255), with a range fixed on
validation texts instead of one per batch, so that an answer does not depend on the other texts of its batch. First,
outliers of single channels are moved from the activation into the weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int8

BALANCE = 0.85  # measured: 0.5 and 0.7 let more labels change, 1.0 no fewer (docs/log.md)
SEVEN_BITS = 63  # maximum of a product's weights
EIGHT_BITS = 127  # maximum in an embedding table, which enters no product


Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """The range of an activation that is quantised; 0 is always exact."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Width of each of the 255 steps."""
        return max(max(self.high, 0.0) - min(self.low, 0.0), 1e-9) / 255

    @property
    def zero_point(self) -> int:
        """The step that represents 0."""
        return round(min(max(-min(self.low, 0.0) / self.scale, 0), 255))


@dataclass(frozen=True)
class Channels:
    """The observed minimum and maximum of each channel of an activation, [channels]."""

    low: Array
    high: Array

    def range(self, divisor: Array | None = None) -> Range:
        """The range over all channels, each divided by its ``divisor``."""
        shrink = np.ones_like(self.low) if divisor is None else divisor
        return Range(float((self.low / shrink).min()), float((self.high / shrink).max()))

    def merged(self, other: Channels) -> Channels:
        """The combined observations."""
        return Channels(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def balance(self, weight: Array, share: float = BALANCE) -> Array:
        """Divisors that move the outliers of an activation's channels into the weight: [channels].

        Dividing a channel by s and multiplying its column of the weight by s changes no product; with
        s = (largest activation)^share / (largest weight)^(1 − share) both quantise better (Xiao et al. 2023,
        "SmoothQuant", equation 4).

        Args:
            weight: of the product, [outputs, channels].
            share: of the outliers' magnitude that moves into the weight.
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
