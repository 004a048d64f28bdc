from __future__ import annotations

import numpy as np

from bertline.statistics.shift.permutation import holm, largest, p_value, relabellings


def test_every_draw_calls_as_many_rows_new() -> None:
    moved = relabellings(7, 3, seed=1, draws=50)
    assert moved.shape == (51, 10)
    assert moved.sum(axis=1).tolist() == [3] * 51
    assert moved[0].tolist() == [False] * 7 + [True] * 3
    assert len({tuple(row) for row in moved.tolist()}) > 30
    assert (moved == relabellings(7, 3, seed=1, draws=50)).all()
    assert (moved != relabellings(7, 3, seed=2, draws=50)).any()


def test_a_p_value_is_never_zero() -> None:
    assert p_value(np.array([9.0, *range(9)])) == 0.1


def test_p_values_are_uniform_where_nothing_changed() -> None:
    """The observed draw is one of all, so each rank is as likely: 200 nulls, each p-value a multiple of 1/20."""
    found = [p_value(np.random.default_rng(seed).normal(size=20)) for seed in range(200)]
    assert abs(np.mean(np.array(found) <= 0.05) - 0.05) < 3 * (0.05 * 0.95 / 200) ** 0.5


def test_several_columns_err_together_as_often_as_one() -> None:
    """12 independent columns and 12 copies of one alike: 300 nulls, three standard errors."""
    nulls = [np.random.default_rng(seed).exponential(size=(200, 12)) for seed in range(300)]
    for statistics in (nulls, [np.repeat(one[:, :1], 12, axis=1) for one in nulls]):
        errors = np.mean([largest(one)[0] <= 0.05 for one in statistics])
        assert abs(errors - 0.05) < 3 * (0.05 * 0.95 / 300) ** 0.5


def test_the_column_that_changed_is_named() -> None:
    statistics = np.random.default_rng(0).normal(size=(500, 4))
    statistics[0, 2] = 9.0
    statistics[:, 3] = 5.0  # the same in every draw
    p, each = largest(statistics)
    assert p == 1 / 500
    assert each.argmin() == 2
    assert (np.delete(each, 2) > 0.05).all()


def test_holm_is_as_published() -> None:
    """Holm 1979: the smallest times their number, the next times one less, never falling."""
    assert holm([0.01, 0.02, 0.03, 0.005]) == [0.03, 0.04, 0.04, 0.02]
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def test_holm_with_weights_keeps_the_family_at_its_level() -> None:
    """Four independent tests of nothing: 5 % of 4,000 families, three standard errors."""
    drawn = np.random.default_rng(0).random((4_000, 4))
    errors = np.mean([min(holm(row, [3.0, 1.0, 1.0, 1.0])) <= 0.05 for row in drawn.tolist()])
    assert errors < 0.05 + 3 * (0.05 * 0.95 / 4_000) ** 0.5
