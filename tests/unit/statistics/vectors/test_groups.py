"""Groups of similar rows: those of a graph of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from bertline.statistics.vectors import groups
from bertline.statistics.vectors.groups import groups_of

from .points import around, unit


@pytest.mark.parametrize("block", [7, 64, 2048])
def test_they_are_the_components_of_all_similar_pairs(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "BLOCK", block)
    vectors, _ = around(unit(60), 4, 0.08)
    exact = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    np.fill_diagonal(exact, -1)
    got = groups_of(vectors, 0.9)
    _, components = connected_components(exact >= 0.9, directed=False)
    assert len({*components}) < 200
    for row, first in enumerate(got.first):
        assert first == np.flatnonzero(components == components[row])[0]
    assert got.pairs == (exact >= 0.9).sum() // 2
    paired = exact.max(axis=1) >= 0.9
    np.testing.assert_array_equal(got.partner[paired], exact.argmax(axis=1)[paired])
    np.testing.assert_allclose(got.similarity[paired], exact.max(axis=1)[paired], atol=1e-6)
    assert not got.similarity[~paired].any()
    assert {*got.partner[~paired]} == {-1}


def test_a_chain_is_one_group_although_its_ends_differ() -> None:
    angles = np.radians([0.0, 20.0, 40.0, 60.0, 170.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    got = groups_of(vectors, np.cos(np.radians(21)))
    assert got.first.tolist() == [0, 0, 0, 0, 4]
    assert got.partner.tolist() == [1, 0, 1, 2, -1]
    assert got.pairs == 3


def test_equal_rows_reach_a_threshold_of_one_and_progress_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "BLOCK", 64)
    vectors, done = np.concatenate([unit(1, 384)] * 200 + [unit(2, 384, seed=1)]), list[int]()
    got = groups_of(vectors, 1.0, done.append)
    assert got.first.tolist() == [0] * 200 + [200, 201]
    assert got.partner[:3].tolist() == [1, 0, 0]
    assert got.pairs == 200 * 199 // 2
    assert done == [64, 128, 192, 202]
