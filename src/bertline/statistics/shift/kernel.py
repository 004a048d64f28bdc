"""Maximum mean discrepancy of embeddings (Gretton et al. 2012), for every relabelling at once.

A Gaussian kernel whose squared width is the median squared distance. Up to ``EXACT`` rows the kernel's matrix is
computed; beyond, random Fourier features stand for it (Rahimi & Recht 2007), so that memory and time grow with the
rows and not with their square. Width and features depend on the pooled rows alone, and the test stays exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

EXACT = 2_000
FREQUENCIES = 512
_MEDIAN_ROWS = 500  # of which the median distance is taken
_DRAWS_AT_ONCE = 128

Embeddings = Float[np.ndarray[Any, Any], "rows hidden"]
Moved = Bool[np.ndarray[Any, Any], "draws rows"]
PerDraw = Float[np.ndarray[Any, Any], " draws"]


def mmd_statistics(rows: Embeddings, moved: Moved, *, seed: int = 0) -> PerDraw:
    """The squared discrepancy of the two samples in each draw, up to a factor that all draws share."""
    rows = rows.astype(np.float32)
    width = _median_squared_distance(rows, seed)
    if len(rows) <= EXACT:
        kernel = np.exp(_squared_distances(rows) / (-2 * width))
        return _blocks(moved, lambda weights: ((weights @ kernel) * weights).sum(axis=1))
    features = fourier_features(rows, width, seed=seed)
    return _blocks(moved, lambda weights: ((weights @ features) ** 2).sum(axis=1))


def fourier_features(
    rows: Embeddings, squared_width: float, *, seed: int = 0, frequencies: int = FREQUENCIES
) -> Float[np.ndarray[Any, Any], "rows features"]:
    """Features whose dot product is about the Gaussian kernel: a cosine and a sine for each random frequency."""
    normal = np.random.default_rng(seed).standard_normal((rows.shape[1], frequencies), dtype=np.float32)
    angles = rows @ (normal / np.float32(squared_width) ** 0.5)
    features = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(features / np.float32(frequencies) ** 0.5)


def _blocks(moved: Moved, statistic: Any) -> PerDraw:
    """``statistic`` of the draws' centred labels, some draws at a time."""
    share = np.float32(moved[0].mean())
    parts = [
        statistic(moved[start : start + _DRAWS_AT_ONCE].astype(np.float32) - share)
        for start in range(0, len(moved), _DRAWS_AT_ONCE)
    ]
    return np.asarray(np.concatenate(parts), dtype=np.float64)


def _squared_distances(rows: Embeddings) -> Float[np.ndarray[Any, Any], "rows rows"]:
    squares = (rows * rows).sum(axis=1)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2 * (rows @ rows.T), 0))


def _median_squared_distance(rows: Embeddings, seed: int) -> float:
    """Of some random rows; 1 where all are alike."""
    some = np.random.default_rng(seed).choice(len(rows), size=min(len(rows), _MEDIAN_ROWS), replace=False)
    distances = _squared_distances(rows[np.sort(some)])
    return float(np.median(distances[np.triu_indices(len(distances), 1)])) or 1.0
