"""How an engine computes a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertline.export.graph import Stored
from bertline.export.quantise import SEVEN_BITS, Observed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Recipe:
    """How an engine computes a network; the defaults are fp32.

    Attributes:
        observed: observed input range of each quantised product, by its name (``3.up``); others stay in fp32.
        float_products: products that stay in fp32 although their input was observed.
        balanced: products whose input outliers move into the weight, at the cost of one multiplication.
        largest: maximum of a product's quantised weights.
        small_table: store the embedding table in int8 with a scale per row, and other weights in fp16.
        vocabulary: each id's row in a pruned table, [vocab]; ``kept`` are the ids of its rows.
        stored: tensors of the checkpoint that the graph refers to instead of containing them.
        taps: also output the input of every product, to observe its range.
        pairs: the graph reads segments.
    """

    observed: Observed = field(default_factory=dict)
    float_products: frozenset[str] = frozenset()
    balanced: frozenset[str] = frozenset()
    largest: int = SEVEN_BITS
    small_table: bool = False
    vocabulary: Array | None = None
    kept: Array | None = None
    stored: Mapping[str, Stored] = field(default_factory=dict)
    taps: bool = False
    pairs: bool = False
