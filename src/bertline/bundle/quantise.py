"""Eight bits for weights and activations: one scale per column of a weight, one range per activation.

Weights are symmetric (−127…127), one scale for each output. Activations are affine (0…255) with a range fixed
beforehand on validation texts, not taken from each batch: so the answer to a text does not depend on the texts
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int8

LARGEST = 127  # of a weight; 63 where the CPU adds pairs of products in 16 bits (x86 without VNNI) and would saturate


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


Ranges = Mapping[str, Range]


def quantise_rows(
    weight: Float[np.ndarray[Any, Any], "rows columns"], largest: int = LARGEST
) -> tuple[Int8[np.ndarray[Any, Any], "rows columns"], Float[np.ndarray[Any, Any], " rows"]]:
    """A matrix as int8 with one scale per row: ``weight ≈ quantised · scale``.

    >>> quantise_rows(np.array([[1.0, -0.5], [0.0, 0.0]]))[0].tolist()
    [[127, -64], [0, 0]]
    """
    scale = np.abs(weight).max(axis=1) / largest
    scale[scale == 0] = 1.0
    quantised = np.clip(np.round(weight / scale[:, None]), -largest, largest).astype(np.int8)
    return quantised, scale.astype(np.float32)
