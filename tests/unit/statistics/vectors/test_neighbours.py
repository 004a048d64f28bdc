"""Nearest rows: those of scikit-learn, whatever the blocks, and the first of equals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from bertline.statistics.vectors import cosine, neighbours
from bertline.statistics.vectors.neighbours import nearest

from .points import unit


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 37)
    monkeypatch.setattr(neighbours, "QUERIES", 11)


def test_they_are_those_of_scikit_learn(small_blocks: None) -> None:
    vectors, queries = unit(500), unit(40, seed=1)
    distances, rows = (
        NearestNeighbors(n_neighbors=7, algorithm="brute", metric="cosine").fit(vectors).kneighbors(queries)
    )
    got = nearest(queries, vectors, 7)
    np.testing.assert_array_equal(got.rows, rows)
    np.testing.assert_allclose(got.similarities, 1 - distances, atol=2e-6)


def test_of_equal_rows_the_first_is_the_nearest(small_blocks: None) -> None:
    vectors = np.concatenate([unit(1, seed=2)] * 120 + [unit(80)])
    got = nearest(vectors[:1], vectors, 50)
    assert got.rows[0].tolist() == list(range(50))
    assert got.similarities[0].tolist() == [1.0] * 50


def test_blocks_and_queries_beside_each_other_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.concatenate([unit(150), unit(150)])  # each row twice
    queries = unit(30, seed=3)
    whole = nearest(queries, vectors, 9)
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 16)
    alone = [nearest(queries[i : i + 1], vectors, 9) for i in range(30)]
    np.testing.assert_array_equal(np.concatenate([one.rows for one in alone]), whole.rows)
    np.testing.assert_array_equal(np.concatenate([one.similarities for one in alone]), whole.similarities)


def test_more_neighbours_than_rows_are_all_rows() -> None:
    got = nearest(unit(2, seed=4), unit(5), 8)
    assert got.rows.shape == (2, 5)
    assert sorted(got.rows[0].tolist()) == [0, 1, 2, 3, 4]
    assert nearest(unit(2), unit(0), 3).rows.shape == (2, 0)


def test_a_mapped_file_is_read_and_progress_is_said(tmp_path: Path) -> None:
    vectors, done = unit(300), list[int]()
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    got = nearest(unit(600, seed=5), mapped, 3, done.append)
    np.testing.assert_array_equal(got.rows, nearest(unit(600, seed=5), vectors, 3).rows)
    assert done == [256, 512, 600]


def test_the_cosine_of_a_row_of_zeros_is_zero() -> None:
    zeros = np.zeros((1, 3), dtype=np.float32)
    assert cosine.cosines(zeros, np.array([0]), unit(1, 3), np.array([0])).tolist() == [0.0]
