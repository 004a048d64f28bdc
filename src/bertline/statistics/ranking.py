"""Figures of ranked texts: how well scores put the relevant texts of a query first.

Texts with the same score have no order. Each figure is therefore the mean over all orders of such texts, in closed form
(McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the presence of tied
scores"). A model that gives every text the same score gets what chance would get.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

CUTOFF = 10  # ranks that NDCG looks at

Gains = Float[np.ndarray[Any, Any], " texts"]
Scores = Float[np.ndarray[Any, Any], " texts"]
Relevant = Bool[np.ndarray[Any, Any], " texts"]
Indices = np.ndarray[Any, np.dtype[np.int64]]


def members(names: Sequence[str]) -> list[Indices]:
    """The rows of each name, names in order of appearance.

    >>> [rows.tolist() for rows in members(["b", "a", "b"])]
    [[0, 2], [1]]
    """
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return [np.array(some, dtype=np.int64) for some in rows.values()]


def ndcg(gains: Gains, scores: Scores, cutoff: int = CUTOFF) -> float:
    """Normalised discounted cumulative gain of the first texts (Järvelin and Kekäläinen 2002).

    Gains are linear, as in trec_eval and scikit-learn. Without any gain it is 0.

    >>> round(ndcg(np.array([0.0, 1.0]), np.array([0.9, 0.1])), 3)
    0.631
    """
    discounts = np.where(np.arange(len(gains)) < cutoff, 1 / np.log2(np.arange(len(gains)) + 2), 0.0)
    best = float((np.sort(gains)[::-1] * discounts).sum())
    order, ties = _ranked(scores)
    means = np.bincount(ties, weights=gains[order]) / np.bincount(ties)
    return float((means[ties] * discounts).sum()) / best if best > 0 else 0.0


def reciprocal_rank(relevant: Relevant, scores: Scores) -> float:
    """One divided by the rank of the first relevant text (Voorhees 1999); 0 if none is relevant.

    >>> reciprocal_rank(np.array([False, True, True]), np.array([0.9, 0.5, 0.1]))
    0.5
    """
    if not relevant.any():
        return 0.0
    order, ties = _ranked(scores)
    first = ties[np.flatnonzero(relevant[order])[0]]  # the group of equal scores that has the first relevant text
    before, size = int((ties < first).sum()), int((ties == first).sum())
    hits = int(relevant[order][ties == first].sum())
    places = np.arange(size - hits + 1)  # of the first relevant text in its group
    left = size - places[:-1]
    chances = hits / size * np.cumprod(np.concatenate([[1.0], (left - hits) / (left - 1)]))
    return float((chances / (before + places + 1)).sum())


def average_precision(relevant: Relevant, scores: Scores) -> float:
    """Mean precision at the ranks of the relevant texts; 0 if none is relevant.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
    0.8333333333333333
    """
    if not relevant.any():
        return 0.0
    order, ties = _ranked(scores)
    sizes, hits = np.bincount(ties), np.bincount(ties, weights=relevant[order])
    starts, hits_before = np.cumsum(sizes) - sizes, np.cumsum(hits) - hits
    ranks = np.arange(len(ties))
    others = (ranks - starts[ties]) * (hits[ties] - 1) / np.maximum(sizes[ties] - 1, 1)  # expected hits in the group
    precisions = (hits_before[ties] + others + 1) / (ranks + 1)
    return float((hits[ties] / sizes[ties] * precisions).sum() / hits.sum())


def concordant_pairs(scores: Scores, others: Scores) -> int:
    """How many pairs of texts two models order alike: the same one first, or neither.

    >>> concordant_pairs(np.array([3.0, 2.0, 1.0]), np.array([9.0, 4.0, 8.0]))
    2
    """
    agreed = 0
    for place in range(len(scores) - 1):  # memory stays linear in the texts
        signs = (np.sign(some[place] - some[place + 1 :]) for some in (scores, others))
        agreed += int(np.equal(*signs).sum())
    return agreed


def _ranked(scores: Scores) -> tuple[Indices, Indices]:
    """Texts by falling score, and the number of each one's group of equal scores, counted from 0."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]])[: len(scores)])
