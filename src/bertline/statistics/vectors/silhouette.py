"""How well clusters are separated: the mean silhouette with cosine distances (Rousseeuw 1987).

The mean cosine distance of a unit vector x to the rows of a cluster is 1 − x·m with their mean m, so it takes one
product for each cluster and no matrix of distances.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bertline.statistics.vectors.cosine import Array, Vectors, blocks


def silhouette(vectors: Vectors, clusters: Int[Array, "rows"], sums: Float[Array, "clusters dimensions"]) -> float:
    """The mean over rows, −1 to 1; rows that are alone in their cluster count as 0.

    Args:
        vectors: unit vectors.
        clusters: of each row, from 0; at least two, none empty.
        sums: of the rows of each cluster.
    """
    sizes, total = np.bincount(clusters, minlength=len(sums)), 0.0
    for start, block in blocks(vectors):
        own, rows = clusters[start : start + len(block)], np.arange(len(block))
        products = block.astype(np.float64) @ sums.T
        distances = 1 - products / sizes
        squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        others = np.maximum(sizes[own] - 1, 1)
        inside = (sizes[own] - products[rows, own] - (1 - squares)) / others
        distances[rows, own] = np.inf
        outside = distances.min(axis=1)
        widest = np.maximum(np.maximum(inside, outside), np.finfo(np.float64).tiny)
        total += float(np.where(sizes[own] > 1, (outside - inside) / widest, 0.0).sum())
    return total / len(vectors)
