"""Spherical k-means (Dhillon and Modha 2001): clusters of unit vectors by their cosine with the cluster's centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bertline.statistics.activation import normalised
from bertline.statistics.vectors.cosine import Array, Notify, Vectors, blocks
from bertline.statistics.vectors.silhouette import silhouette

SAMPLE_ROWS = 20_000  # the number of clusters and the first centres are chosen on so many rows
STARTS = 4  # of k-means; the best one counts
ITERATIONS = 100  # at most
NUMBERS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)  # of clusters, to choose from


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clusters, the largest first.

    Attributes:
        centres: unit vectors.
        clusters: of each row.
        similarities: the cosine of each row with the centre of its cluster.
        silhouette: the mean over all rows; None with one cluster.
        tried: the silhouettes of the numbers that were tried, on a sample; empty if the number was given.
    """

    centres: Float[Array, "clusters dimensions"]
    clusters: Int[Array, "rows"]
    similarities: Float[Array, "rows"]
    silhouette: float | None
    tried: dict[int, float]


def cluster(
    vectors: Vectors, number: int | None = None, *, seed: int = 0, notify: Notify = lambda done: None
) -> Clustering:
    """Cluster unit vectors; equal seeds give equal clusters.

    Args:
        vectors: at least one; only blocks of them are in memory, and a sample.
        number: of clusters; by default the one of ``NUMBERS`` with the highest silhouette on a sample. Fewer if there
            are fewer different vectors.
        seed: of the starts.
        notify: gets how many numbers of clusters were tried.
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(vectors), min(SAMPLE_ROWS, len(vectors)), replace=False))
    sample = np.asarray(vectors[chosen])
    tried: dict[int, float] = {}
    best = _Fit.best(sample, number or 1, seed)
    if number is None:
        for done, one in enumerate(_numbers(len(sample))):
            fit = _Fit.best(sample, one, seed)
            if len(fit.centres) == one:
                tried[one] = silhouette(sample, fit.clusters, fit.sums)
            notify(done + 1)
        if tried:
            best = _Fit.best(sample, max(tried, key=lambda one: (tried[one], -one)), seed)
    return _ordered(vectors, best if len(sample) == len(vectors) else _Fit.from_centres(vectors, best.centres), tried)


def _numbers(rows: int) -> Sequence[int]:
    """Numbers of clusters that leave five rows to each on average."""
    return [one for one in NUMBERS if one * 5 <= rows]


def _ordered(vectors: Vectors, fit: _Fit, tried: dict[int, float]) -> Clustering:
    sizes = np.bincount(fit.clusters, minlength=len(fit.centres))
    order = np.lexsort((np.arange(len(sizes)), -sizes))
    places = np.argsort(order)
    clusters = places[fit.clusters]
    separation = silhouette(vectors, clusters, fit.sums[order]) if len(order) > 1 else None
    return Clustering(fit.centres[order], clusters, fit.similarities, separation, tried)


@dataclass(frozen=True, slots=True)
class _Fit:
    centres: Array
    clusters: Array
    similarities: Array
    sums: Array

    @classmethod
    def best(cls, vectors: Vectors, number: int, seed: int) -> _Fit:
        """The one of several starts whose rows are nearest to their centres."""
        starts = (np.random.default_rng([seed, number, start]) for start in range(STARTS))
        fits = [cls.from_centres(vectors, _spread(vectors, number, rng)) for rng in starts]
        return max(fits, key=lambda fit: fit.similarities.sum())  # the first of equals

    @classmethod
    def from_centres(cls, vectors: Vectors, centres: Array) -> _Fit:
        """Rows to the nearest centres and centres to the means of their rows, in turn until nothing changes."""
        clusters = np.full(len(vectors), -1)
        for _ in range(ITERATIONS):
            before = clusters
            clusters, similarities = _assigned(vectors, centres)
            _fill(clusters, similarities, len(centres))
            sums = _sums(vectors, clusters, len(centres))
            if (clusters == before).all():
                break
            centres = normalised(sums).astype(np.float32)
        return cls(centres, clusters, similarities, sums)


def _spread(vectors: Vectors, number: int, rng: np.random.Generator) -> Array:
    """First centres by k-means++ (Arthur and Vassilvitskii 2007): rows far from each other, by chance.

    Half the squared distance of unit vectors is 1 minus their cosine.
    """
    rows = [int(rng.integers(len(vectors)))]
    distances = np.full(len(vectors), np.inf)
    while len(rows) < number:
        distances = np.minimum(distances, np.maximum(1 - vectors @ vectors[rows[-1]], 0).astype(np.float64))
        distances[distances < 1e-6] = 0  # the same vector again
        total = np.cumsum(distances)
        if total[-1] == 0:
            break
        rows.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return np.asarray(vectors[rows])


def _assigned(vectors: Vectors, centres: Array) -> tuple[Array, Array]:
    clusters, similarities = np.empty(len(vectors), dtype=np.int64), np.empty(len(vectors))
    for start, block in blocks(vectors):
        scores, part = block @ centres.T, slice(start, start + len(block))
        clusters[part], similarities[part] = scores.argmax(axis=1), scores.max(axis=1)
    return clusters, similarities


def _fill(clusters: Array, similarities: Array, number: int) -> None:
    """Give a cluster without rows the row that is farthest from its own centre."""
    for empty in np.flatnonzero(np.bincount(clusters, minlength=number) == 0):
        sizes = np.bincount(clusters, minlength=number)
        farthest = int(np.where(sizes[clusters] > 1, similarities, np.inf).argmin())
        clusters[farthest], similarities[farthest] = empty, 1.0


def _sums(vectors: Vectors, clusters: Array, number: int) -> Array:
    sums = np.zeros((number, vectors.shape[1]))
    for start, block in blocks(vectors):
        own = clusters[start : start + len(block), None] == np.arange(number)
        sums += own.T.astype(np.float32) @ block
    return sums
