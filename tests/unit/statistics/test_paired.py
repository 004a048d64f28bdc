from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from bertline.statistics.paired import PairedDifference, compare, mcnemar, randomised_p, verdict


def verdict_of(difference: PairedDifference) -> int:
    return verdict(difference.accuracy, difference.p_value)


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
    difference = compare(first, second)
    assert (difference.only_first, difference.only_second) == (20, 5)
    assert difference.accuracy.value == pytest.approx(0.15)
    assert difference.accuracy.low < 0.15 < difference.accuracy.high
    assert verdict_of(difference) == 1
    assert verdict_of(compare(second, first)) == -1


def test_no_difference_is_shown_of_few_rows() -> None:
    difference = compare(np.array([True, True, False]), np.array([True, False, False]))
    assert verdict_of(difference) == 0
    assert difference.p_value == 1.0


def test_equal_answers_and_no_rows() -> None:
    same = np.array([True, False])
    assert compare(same, same).accuracy.value == 0
    nothing = compare(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    assert (nothing.accuracy.low, nothing.accuracy.high, verdict_of(nothing)) == (-1.0, 1.0, 0)


def test_the_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    simulations, hits = 200, 0
    for seed in range(simulations):
        kind = rng.choice(3, size=300, p=[0.12, 0.06, 0.82])
        difference = compare(kind != 1, kind != 0, seed=seed, resamples=300).accuracy
        hits += difference.low <= 0.06 <= difference.high
    assert hits >= binom.ppf(0.001, simulations, 0.94)


def accuracies(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[:, 0] / 100)


def test_the_randomisation_test_agrees_with_mcnemar() -> None:
    """Of right and wrong rows both test the same hypothesis; one counts exactly and one draws."""
    first = np.array([1.0] * 75 + [0.0] * 25)
    second = np.array([1.0] * 63 + [0.0] * 32 + [1.0] * 5)
    drawn = randomised_p(first[:, None], second[:, None], accuracies, resamples=4_000)
    assert drawn == pytest.approx(mcnemar(12, 5), abs=0.02)


def test_no_difference_and_a_clear_one() -> None:
    same = np.ones((100, 1))
    assert randomised_p(same, same, accuracies) == 1.0
    assert randomised_p(same, np.zeros((100, 1)), accuracies) == pytest.approx(1 / 1001)


def test_the_p_value_is_uniform_where_nothing_differs() -> None:
    """At a level of 0.1, one test in ten says that equal networks differ."""
    rng, seen = np.random.default_rng(5), 0
    for seed in range(300):
        first, second = (rng.normal(size=(60, 1)) for _ in "12")
        seen += randomised_p(first, second, accuracies, seed=seed, resamples=199) <= 0.1
    assert binom.ppf(0.001, 300, 0.1) <= seen <= binom.ppf(0.999, 300, 0.1)
