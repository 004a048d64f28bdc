from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from bertline.statistics.paired import compare, mcnemar


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 5), (9, 1), (30, 52), (191, 93)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_mcnemar_of_many_rows_stays_exact() -> None:
    expected = 2 * binom.cdf(4_900, 10_000, 0.5)
    assert mcnemar(5_100, 4_900) == pytest.approx(expected)


def test_difference_counts_the_rows_only_one_has_right() -> None:
    first = np.array([True] * 80 + [False] * 20)
    second = np.array([True] * 60 + [False] * 35 + [True] * 5)
    found = compare(first, second)
    assert (found.only_first, found.only_second) == (20, 5)
    assert found.accuracy.value == pytest.approx(0.15)
    assert found.accuracy.low < 0.15 < found.accuracy.high
    assert found.verdict == 1
    assert compare(second, first).verdict == -1


def test_no_difference_is_shown_of_few_rows() -> None:
    found = compare(np.array([True, True, False]), np.array([True, False, False]))
    assert found.verdict == 0
    assert found.p_value == 1.0


def test_equal_answers_and_no_rows() -> None:
    same = np.array([True, False])
    assert compare(same, same).accuracy.value == 0
    nothing = compare(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    assert (nothing.accuracy.low, nothing.accuracy.high, nothing.verdict) == (-1.0, 1.0, 0)


def test_the_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    simulations, hits = 200, 0
    for seed in range(simulations):
        kind = rng.choice(3, size=300, p=[0.12, 0.06, 0.82])
        found = compare(kind != 1, kind != 0, seed=seed, resamples=300).accuracy
        hits += found.low <= 0.06 <= found.high
    assert hits >= binom.ppf(0.001, simulations, 0.94)


def test_json() -> None:
    found = compare(np.array([True, True]), np.array([False, True]))
    assert set(found.to_json()) == {"accuracy", "only_first", "only_second", "p_value"}
