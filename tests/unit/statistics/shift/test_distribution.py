from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from bertline.statistics.shift import distribution
from bertline.statistics.shift.distribution import joint_statistics, ks_distance, ks_statistics, mean_statistics
from bertline.statistics.shift.permutation import largest, p_value, relabellings


def columns(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.random(rows), rng.integers(0, 3, rows)], axis=1).astype(float)


@pytest.mark.parametrize("few", [0, 2_000])
def test_the_statistic_is_that_of_scipy_in_every_draw(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "FEW_ROWS", few)
    monkeypatch.setattr(distribution, "_AT_ONCE", 70)  # several blocks
    pooled, moved = columns(30, 0), relabellings(20, 10, draws=5)
    found = ks_statistics(pooled, moved)
    for draw, new in enumerate(moved):
        for k in range(2):
            expected = ks_2samp(pooled[new, k], pooled[~new, k]).statistic
            # the distance to the pooled function is the share of reference rows times that to the reference's
            assert np.floor(found[draw, k] + 1e-9) / (30 * 10) * 30 / 20 == pytest.approx(expected)
            assert ks_distance(pooled[~new, k], pooled[new, k]) == pytest.approx(expected)


def test_ties_are_broken() -> None:
    """The distances of 2 × 10 rows have few values; without the fraction many draws would be equal."""
    pooled, moved = columns(20, 1)[:, :1], relabellings(10, 10, draws=199)
    found = ks_statistics(pooled, moved)[:, 0]
    assert len(set(np.floor(found))) < 12
    assert len(set(found)) > 50


def test_a_moved_mean_is_seen() -> None:
    rng = np.random.default_rng(0)
    pooled = np.concatenate([rng.normal(size=(60, 1)), rng.normal(1.0, size=(40, 1))])
    moved = relabellings(60, 40)
    assert p_value(ks_statistics(pooled, moved)[:, 0]) < 0.01
    assert p_value(mean_statistics(pooled, moved)[:, 0]) < 0.01


def test_many_rows_do_not_overflow() -> None:
    """40,000 × 60,000 is more than a 32-bit integer has."""
    pooled = np.arange(100_000.0)[:, None]
    moved = relabellings(60_000, 40_000, draws=1)
    assert np.floor(ks_statistics(pooled, moved)[0, 0]) == 60_000 * 40_000


def joint(pooled: np.ndarray, moved: np.ndarray) -> list[float]:
    found = joint_statistics(pooled, moved, ks_statistics(pooled, moved))
    return [p_value(found[:, k]) for k in range(2)]


def test_the_joint_statistics_are_those_of_the_definition() -> None:
    pooled, moved = columns(30, 0), relabellings(20, 10, draws=5)
    ks = ks_statistics(pooled, moved)
    found = joint_statistics(pooled, moved, ks)
    for draw, new in enumerate(moved):
        distance = np.linalg.norm(pooled[new].mean(axis=0) - pooled[~new].mean(axis=0))
        assert found[draw, 0] == pytest.approx((distance * 20 * 10 / 30) ** 2, rel=1e-4)
        assert found[draw, 1] == pytest.approx(sum(ks[draw, k] * pooled[:, k].std() for k in range(2)))


def test_other_shares_of_two_labels_are_seen_among_rare_ones() -> None:
    """Of 20 probabilities two carry the change; the others are tiny and seldom large, as those of rare labels are."""
    rng = np.random.default_rng(1)
    first = np.concatenate([rng.random(400) < 0.5, rng.random(200) < 0.7])
    rare = rng.random((600, 18)) ** 30
    pooled = np.concatenate([first[:, None], ~first[:, None], rare], axis=1).astype(float)
    moved = relabellings(400, 200)
    means, distributions = joint(pooled, moved)
    assert means < 0.01
    assert distributions < 0.05
    assert largest(mean_statistics(pooled[:, 2:], moved))[0] > 0.05


def test_a_spread_that_changes_while_means_stay_is_seen_by_the_second() -> None:
    rng = np.random.default_rng(2)
    pooled = np.concatenate([rng.uniform(0.0, 1.0, (200, 2)), rng.uniform(0.4, 0.6, (200, 2))])
    means, distributions = joint(pooled, relabellings(200, 200))
    assert means > 0.05
    assert distributions < 0.01
