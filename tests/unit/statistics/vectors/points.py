"""Unit vectors for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def unit(rows: int, dimensions: int = 24, seed: int = 0) -> Array:
    """Random directions."""
    vectors = np.random.default_rng(seed).normal(size=(rows, dimensions))
    return np.asarray((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def around(centres: Array, rows: int, spread: float, seed: int = 0) -> tuple[Array, Array]:
    """Directions near each centre, in no order, and the centre of each."""
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.repeat(np.arange(len(centres)), rows))
    vectors = centres[own] + spread * rng.normal(size=(len(own), centres.shape[1]))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), own
