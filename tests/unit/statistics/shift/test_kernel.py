from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.shift import kernel
from bertline.statistics.shift.kernel import fourier_features, mmd_statistics
from bertline.statistics.shift.permutation import p_value, relabellings


def rows(number: int, seed: int, centre: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(centre, size=(number, 8)).astype(np.float32)


def test_the_statistic_is_the_mean_discrepancy() -> None:
    """By its definition: within one sample, within the other, minus twice between (Gretton et al. 2012)."""
    pooled, moved = rows(30, 0), relabellings(20, 10, draws=4)
    found = mmd_statistics(pooled, moved)
    distances = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
    values = np.exp(-distances / 2 / np.median(distances[np.triu_indices(30, 1)]))

    def direct(new: np.ndarray) -> float:
        return values[new][:, new].mean() + values[~new][:, ~new].mean() - 2 * values[new][:, ~new].mean()

    ratios = found / np.array([direct(new) for new in moved])
    assert ratios == pytest.approx(ratios[0], rel=1e-3)


def test_random_features_stand_for_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    some = rows(50, 1)
    features = fourier_features(some, 8.0, frequencies=20_000)
    exact = np.exp(-((some[:, None] - some[None]) ** 2).sum(-1) / 16)
    assert np.abs(features @ features.T - exact).max() < 0.05
    pooled, moved = np.concatenate([rows(60, 2), rows(60, 3, 0.5)]), relabellings(60, 60, draws=99)
    whole = mmd_statistics(pooled, moved)
    monkeypatch.setattr(kernel, "EXACT", 10)
    assert np.corrcoef(whole, mmd_statistics(pooled, moved))[0, 1] > 0.9


def test_rows_that_are_all_alike_show_nothing() -> None:
    same = np.ones((40, 8), dtype=np.float32)
    assert p_value(mmd_statistics(same, relabellings(20, 20, draws=99))) == 1.0


def test_a_change_of_shape_is_seen() -> None:
    """The means are equal, the spreads are not."""
    pooled = np.concatenate([rows(60, 4), 2 * rows(60, 5)])
    assert p_value(mmd_statistics(pooled, relabellings(60, 60))) < 0.01
