from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.shift.discriminant import Discriminant, auc
from bertline.statistics.shift.permutation import p_value, relabellings


def pooled(centre: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(80, 6)), rng.normal(centre, size=(40, 6))]).astype(np.float32)


def test_a_score_is_that_of_a_fit_without_the_row() -> None:
    found, moved = Discriminant.of(pooled(0.5)), relabellings(80, 40, draws=1)[0]
    rows, labels = found.rotated.astype(np.float64), moved - moved.mean()
    penalty = np.diag(1 / found.weights.astype(np.float64)) - rows.T @ rows
    for row in (0, 100):
        kept = np.arange(120) != row
        # centred by all rows, as the fit is, the intercept is fitted without the row
        own, targets = rows[kept], labels[kept]
        design = np.concatenate([np.ones((119, 1)), own], axis=1)
        ridge = np.zeros((7, 7))
        ridge[1:, 1:] = penalty
        weights = np.linalg.solve(design.T @ design + ridge, design.T @ targets)
        assert found.scores(moved)[row] == pytest.approx(float(weights[0] + rows[row] @ weights[1:]), abs=1e-4)


def test_new_rows_are_told_from_old_ones() -> None:
    moved = relabellings(80, 40)
    apart, alike = Discriminant.of(pooled(0.8)), Discriminant.of(pooled(0.0))
    assert p_value(apart.statistics(moved)) < 0.01
    assert auc(apart.scores(moved[0]), moved[0]) > 0.8
    assert p_value(alike.statistics(moved)) > 0.05
    assert auc(alike.scores(moved[0]), moved[0]) < 0.6


def test_rows_that_are_all_alike_show_nothing() -> None:
    same = Discriminant.of(np.ones((40, 6), dtype=np.float32))
    assert p_value(same.statistics(relabellings(20, 20, draws=99))) == 1.0


def test_the_chance_of_scoring_higher() -> None:
    moved = np.array([False, True, False, True])
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), moved) == 0.5
    assert auc(np.array([1.0, 2.0, 1.0, 2.0]), moved) == 1.0
