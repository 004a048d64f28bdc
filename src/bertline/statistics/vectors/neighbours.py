"""Exact nearest neighbours by cosine: every row is compared, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bertline.statistics.vectors.cosine import BLOCK_ROWS, Array, Notify, Vectors, blocks, cosines, margin

QUERIES = 256  # compared with a block at a time: 8 MB of scores


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of each query, the most similar first; of equally similar ones, the first in the matrix."""

    rows: Int[Array, "queries neighbours"]
    similarities: Float[Array, "queries neighbours"]


def nearest(
    queries: Float[Array, "queries dimensions"], vectors: Vectors, most: int, notify: Notify = lambda done: None
) -> Neighbours:
    """The nearest rows of ``vectors`` for each query.

    Args:
        queries: unit vectors.
        vectors: unit vectors; only blocks of them are in memory.
        most: neighbours of a query, if there are as many rows.
        notify: gets the number of queries that are done.

    >>> nearest(np.eye(2)[:1], np.array([[0.6, 0.8], [1.0, 0.0], [0.6, -0.8]]), 2).rows.tolist()
    [[1, 0]]
    """
    most = min(most, len(vectors))
    rows = np.empty((len(queries), most), dtype=np.int64)
    similarities = np.empty((len(queries), most))
    for first, some in blocks(queries, QUERIES):
        part = slice(first, first + len(some))
        rows[part], similarities[part] = _nearest(some, vectors, most)
        notify(first + len(some))
    return Neighbours(rows, similarities)


def _nearest(queries: Array, vectors: Array, most: int) -> tuple[Array, Array]:
    rows = np.full((len(queries), most), len(vectors))
    similarities = np.full((len(queries), most), -np.inf)
    slack = margin(vectors.shape[1])
    for first, block in blocks(vectors, BLOCK_ROWS):
        scores = queries @ block.T
        lowest = similarities[:, -1:]
        if len(block) >= most > 0:
            lowest = np.maximum(lowest, np.partition(scores, -most, axis=1)[:, -most, None])
        which, columns = np.nonzero(scores >= lowest - slack)
        exact = cosines(queries, which, block, columns)
        rows, similarities = _merged(rows, similarities, which, columns + first, exact)
    return rows, similarities


def _merged(rows: Array, similarities: Array, which: Array, found: Array, exact: Array) -> tuple[Any, Any]:
    """The best of the rows so far and of others, as many for each query as before."""
    queries, most = rows.shape
    whose = np.concatenate([np.repeat(np.arange(queries), most), which])
    all_rows = np.concatenate([rows.ravel(), found])
    all_similarities = np.concatenate([similarities.ravel(), exact])
    order = np.lexsort((all_rows, -all_similarities, whose))
    starts = np.searchsorted(whose[order], np.arange(queries))
    best = order[starts[:, None] + np.arange(most)]
    return all_rows[best], all_similarities[best]
