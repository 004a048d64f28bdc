"""Figures of numbers are those of scikit-learn and scipy, in the data and in every resample."""

from __future__ import annotations

import math
import warnings
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from bertline.statistics.intervals import drawn_counts
from bertline.statistics.regression import moments, r_squared, rank_correlation, regression_scores

NUMBERS = st.lists(st.tuples(*(st.integers(-3, 3) for _ in "12")), min_size=2, max_size=30)


def pair(rows: int = 80, seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows) * 3 + 100
    predicted = truth + rng.normal(size=rows)
    return (truth.round(), predicted.round()) if ties else (truth, predicted)


@pytest.mark.parametrize("ties", [False, True])
def test_values_equal_the_libraries(ties: bool) -> None:
    truth, predicted = pair(ties=ties)
    scores = regression_scores(truth, predicted)
    assert scores.mae.value == pytest.approx(mean_absolute_error(truth, predicted))
    assert scores.rmse.value == pytest.approx(root_mean_squared_error(truth, predicted))
    assert scores.r2.value == pytest.approx(r2_score(truth, predicted))
    assert scores.spearman.value == pytest.approx(spearmanr(truth, predicted).statistic)
    assert scores.bias.value == pytest.approx((predicted - truth).mean())
    for one in (scores.mae, scores.rmse, scores.r2, scores.spearman, scores.bias):
        assert one.low < one.value < one.high


@given(NUMBERS)
def test_any_numbers_have_the_figures_of_the_libraries(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (np.array([one[i] for one in pairs], dtype=float) for i in range(2))
    scores = regression_scores(truth, predicted, resamples=20)
    assert scores.r2.value == pytest.approx(r2_score(truth, predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = spearmanr(truth, predicted).statistic
    assert scores.spearman.value == pytest.approx(0.0 if math.isnan(theirs) else theirs, abs=1e-9)
    assert all(math.isfinite(number) for one in astuple(scores) for number in one)


@pytest.mark.parametrize("ties", [False, True])
def test_each_resample_has_the_figures_of_its_rows(ties: bool) -> None:
    """Ranks are those within the resample, not those of the whole data."""
    truth, predicted = pair(30, ties=ties)
    [counts] = drawn_counts(30, seed=3, resamples=15)
    ranks, sums = rank_correlation(truth, predicted, counts), counts @ moments(truth, predicted)
    for one, spearman, r2 in zip(counts.astype(int), ranks, r_squared(sums, 30), strict=True):
        some, more = np.repeat(truth, one), np.repeat(predicted, one)
        assert spearman == pytest.approx(spearmanr(some, more).statistic)
        assert r2 == pytest.approx(r2_score(some, more))


def test_one_row_and_constant_numbers() -> None:
    one = regression_scores(np.array([4.0]), np.array([5.0]))
    assert (one.mae.value, one.r2.value, one.spearman.value) == (1.0, 0.0, 0.0)
    assert regression_scores(np.array([4.0]), np.array([4.0])).r2.value == 1.0
    constant = regression_scores(np.full(9, 1e6), np.linspace(0, 1, 9) + 1e6)
    assert (constant.r2.value, constant.spearman.value) == (0.0, 0.0)
    assert constant.bias.value == pytest.approx(0.5)


def test_large_numbers_keep_their_spread() -> None:
    truth, predicted = pair()
    near, far = (regression_scores(truth + shift, predicted + shift) for shift in (0.0, 1e9))
    assert far.r2.value == pytest.approx(near.r2.value, abs=1e-5)
    assert far.r2.low == pytest.approx(near.r2.low, abs=1e-5)


def test_the_interval_of_the_mean_error_covers_the_truth() -> None:
    """Absolute errors of a standard normal have the mean √(2/π); a 95 % interval misses it in one of 20."""
    rng, hits = np.random.default_rng(1), 0
    for seed in range(100):
        errors = rng.normal(size=200)
        mae = regression_scores(np.zeros(200), errors, seed=seed, resamples=300).mae
        hits += mae.low <= math.sqrt(2 / math.pi) <= mae.high
    assert hits >= 84  # of a binomial of 100 with 0.93, 84 or more has a probability of 0.999
