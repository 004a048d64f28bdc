"""Cosines of unit vectors: many at once in float32, and those that matter again in float64.

A product of matrices depends in its last bits on the shapes of the matrices. Ties would be broken by these bits, so
candidates are found with a margin and their cosines are computed row by row, and rounded to what float32 can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

BLOCK_ROWS = 8192  # of a matrix at a time: 12 MB of 384 dimensions
DIGITS = 6  # of a cosine; float32 has no more
_PAIRS = 1024  # exact cosines at a time, in the cache: 3 MB for each side with 384 dimensions

Array = np.ndarray[Any, Any]
Vectors = Float[Array, "rows dimensions"]
Indices = Int[Array, "pairs"]
Notify = Callable[[int], object]  # gets the rows that are done


def blocks(vectors: Vectors, size: int = BLOCK_ROWS, start: int = 0) -> Iterator[tuple[int, Vectors]]:
    """The rows from ``start`` on, read into memory block by block, each with the index of its first row."""
    for first in range(start, len(vectors), size):
        yield first, np.asarray(vectors[first : first + size])


def margin(dimensions: int) -> float:
    """How far a cosine in float32 can be from the rounded one (Higham 2002, section 3.1)."""
    return 2 * dimensions * 2.0**-24 + 10.0**-DIGITS


def cosines(
    some: Vectors, rows: Indices, others: Float[Array, "others dimensions"], columns: Indices
) -> Float[Array, "pairs"]:
    """The rounded cosine of ``some[rows[i]]`` and ``others[columns[i]]`` for each ``i``.

    >>> cosines(np.eye(2), np.array([0, 0]), np.array([[0.6, 0.8]]), np.array([0, 0])).tolist()
    [0.6, 0.6]
    """
    out = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        part = slice(start, start + _PAIRS)
        one, other = some[rows[part]].astype(np.float64), others[columns[part]].astype(np.float64)
        lengths = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
        out[part] = (one * other).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return out.round(DIGITS)
