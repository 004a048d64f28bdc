"""Rows that repeat others: every pair is compared, and pairs that share a row are one group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bertline.statistics.vectors.cosine import Array, Notify, Vectors, blocks, cosines, margin

BLOCK = 2048  # rows whose pairs are compared at a time: 16 MB of scores


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of similar rows.

    Attributes:
        first: for each row, the first row of its group; a row without a similar one is its own.
        partner: for each row, the most similar other row, the earlier of equals; -1 without one.
        similarity: of each row and its partner; 0 without one.
        pairs: number of pairs that are similar.
    """

    first: Int[Array, "rows"]
    partner: Int[Array, "rows"]
    similarity: Float[Array, "rows"]
    pairs: int


def groups_of(vectors: Vectors, threshold: float, notify: Notify = lambda done: None) -> Groups:
    """The groups of rows whose cosine is at least ``threshold``.

    Rows of a group are connected by similar pairs; two of them may be less similar than ``threshold``.

    Args:
        vectors: unit vectors; only blocks of them are in memory.
        threshold: of the cosine, above 0.
        notify: gets the number of rows that are done.

    >>> groups_of(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), 0.9).first.tolist()
    [0, 1, 0]
    """
    size, pairs = len(vectors), 0
    first, partner, similarity = np.arange(size), np.full(size, -1), np.zeros(size)
    lowest = threshold - margin(vectors.shape[1])
    for start, some in blocks(vectors, BLOCK):
        for other_start, others in blocks(vectors, BLOCK, start):
            scores = some @ others.T
            if start == other_start:
                scores[np.tril_indices(len(some))] = -np.inf  # a row with itself, and each pair a second time
            rows, columns = np.nonzero(scores >= lowest)
            exact = cosines(some, rows, others, columns)
            similar = exact >= threshold
            rows, columns, exact = rows[similar] + start, columns[similar] + other_start, exact[similar]
            pairs += len(rows)
            _join(first, rows, columns)
            both = np.concatenate([rows, columns]), np.concatenate([columns, rows]), np.concatenate([exact, exact])
            _keep_best(partner, similarity, *both)
        notify(min(start + BLOCK, size))
    return Groups(_roots(first, np.arange(size)), partner, similarity, pairs)


def _join(first: Array, rows: Array, columns: Array) -> None:
    """Unite the groups of each pair; a group's root is its smallest row, to which ``first`` leads from any other."""
    while True:
        one, other = _roots(first, rows), _roots(first, columns)
        apart = one != other
        if not apart.any():
            return
        rows, columns = one[apart], other[apart]
        np.minimum.at(first, np.maximum(rows, columns), np.minimum(rows, columns))


def _roots(first: Array, rows: Array) -> Array:
    roots = first[rows]
    while (first[roots] != roots).any():
        roots = first[roots]
    first[rows] = roots
    return roots


def _keep_best(partner: Array, similarity: Array, rows: Array, others: Array, exact: Array) -> None:
    """Note the most similar other row of each row, if it is more similar than the one so far."""
    order = np.lexsort((others, -exact, rows))
    each, places = np.unique(rows[order], return_index=True)
    best = order[places]
    better = exact[best] > similarity[each]
    partner[each[better]], similarity[each[better]] = others[best[better]], exact[best[better]]
