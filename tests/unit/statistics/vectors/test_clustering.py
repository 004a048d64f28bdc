"""Clusters of unit vectors: recovered where they are clear, numbered by size, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from bertline.statistics.vectors import clustering
from bertline.statistics.vectors.clustering import cluster

from .points import around, unit


def test_clear_clusters_are_found_and_their_number_too() -> None:
    vectors, own = around(unit(6), 60, 0.06)
    got = cluster(vectors)
    assert adjusted_rand_score(own, got.clusters) == 1
    assert len(got.centres) == 6 == max(got.tried, key=lambda one: got.tried[one])
    assert got.silhouette == pytest.approx(got.tried[6])


def test_the_silhouette_is_that_of_scikit_learn() -> None:
    vectors, _ = around(unit(5), 40, 0.25)
    got = cluster(vectors, 7)
    assert got.silhouette == pytest.approx(silhouette_score(vectors, got.clusters, metric="cosine"), abs=1e-6)
    assert not got.tried


def test_a_row_that_is_alone_counts_as_zero_in_the_silhouette() -> None:
    vectors = np.concatenate([around(unit(1), 20, 0.05)[0], unit(1, seed=9)])
    got = cluster(vectors, 2)
    assert np.bincount(got.clusters).tolist() == [20, 1]
    assert got.silhouette == pytest.approx(silhouette_score(vectors, got.clusters, metric="cosine"), abs=1e-6)


def test_the_largest_cluster_is_the_first_and_rows_have_their_cosine_with_the_centre() -> None:
    centres = unit(3)
    vectors = np.concatenate([around(centres[i : i + 1], rows, 0.05, seed=i)[0] for i, rows in enumerate((10, 50, 30))])
    got = cluster(vectors, 3)
    assert np.bincount(got.clusters).tolist() == [50, 30, 10]
    assert {*got.clusters[10:60]} == {0}
    exact = np.einsum("ij,ij->i", vectors, got.centres[got.clusters])
    np.testing.assert_allclose(got.similarities, exact, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got.centres, axis=1), 1, atol=1e-6)


def test_every_row_is_with_its_nearest_centre_if_a_sample_chose_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clustering, "SAMPLE_ROWS", 80)
    vectors, own = around(unit(4), 100, 0.08)
    got = cluster(vectors)
    assert adjusted_rand_score(own, got.clusters) == 1
    np.testing.assert_array_equal(got.clusters, (vectors @ got.centres.T).argmax(axis=1))


def test_equal_seeds_give_equal_clusters() -> None:
    vectors = unit(200)
    one, other = (cluster(vectors, 12, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.clusters, other.clusters)
    assert not np.array_equal(one.clusters, cluster(vectors, 12, seed=4).clusters)


def test_there_are_no_more_clusters_than_different_rows() -> None:
    twice = np.concatenate([unit(3)] * 10)
    got = cluster(twice, 8)
    assert np.bincount(got.clusters).tolist() == [10, 10, 10]
    alike = cluster(np.concatenate([unit(1)] * 40))
    assert (len(alike.centres), alike.silhouette, alike.tried) == (1, None, {})


def test_no_cluster_is_empty() -> None:
    vectors = unit(40, 2)
    got = cluster(vectors, 30)
    assert np.bincount(got.clusters).min() >= 1
