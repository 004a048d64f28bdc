from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from bertline.statistics import metrics
from bertline.statistics.intervals import (
    Estimate,
    bounded_difference,
    bounded_percentile,
    calibration_error,
    f1_interval,
    percentile,
    resampled_counts,
    resampled_sums,
    wilson,
)
from bertline.statistics.metrics import ClassCounts

SIMULATIONS = 200


def fewest(coverage: float) -> int:
    """Hits of ``SIMULATIONS`` below which a true ``coverage`` falls once in a thousand times."""
    return int(binom.ppf(0.001, SIMULATIONS, coverage))


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 30), (30, 30), (17, 20), (843, 1000)])
def test_wilson_equals_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    found = wilson(successes, trials)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("trials", [20, 100, 1000])
def test_wilson_covers(trials: int) -> None:
    k = np.arange(trials + 1)
    ends = [wilson(int(i), trials) for i in k]
    low, high = (np.array([getattr(one, end) for one in ends]) for end in ("low", "high"))
    grid = np.linspace(0.02, 0.98, 97)
    coverage = np.array([binom.pmf(k, trials, p)[(low <= p) & (p <= high)].sum() for p in grid])
    assert coverage.mean() > 0.945
    assert coverage.min() > 0.88


def test_f1_interval_carries_the_proportion_over() -> None:
    found = f1_interval(hits=30, misses=20)
    assert found.value == pytest.approx(2 * 30 / (2 * 30 + 20))
    assert found.low < found.value < found.high


def test_three_correct_rows_prove_nothing() -> None:
    assert f1_interval(3, 0).low < 0.7


def test_f1_of_an_unseen_class_is_unknown() -> None:
    assert f1_interval(0, 0) == Estimate(0.0, 0.0, 1.0)


def test_percentile_holds_its_value() -> None:
    found = percentile(0.5, np.linspace(0.6, 0.7, 100))
    assert found.low == 0.5
    assert found.high == pytest.approx(0.6975)


def test_values_that_are_all_alike_at_an_end_have_wilsons_interval() -> None:
    """Resamples of three ones are three ones."""
    assert bounded_percentile(1.0, np.ones(10), 3) == wilson(3, 3)
    assert bounded_percentile(0.0, np.zeros(10), 3) == wilson(0, 3)
    assert bounded_percentile(0.5, np.linspace(0, 1, 101), 3) == percentile(0.5, np.linspace(0, 1, 101))


def test_one_unit_says_nothing_about_others() -> None:
    assert bounded_percentile(0.4, np.full(10, 0.4), 1) == Estimate(0.4, 0.0, 1.0)
    assert bounded_difference(0.4, np.full(10, 0.4), 1) == Estimate(0.4, -1.0, 1.0)
    assert bounded_difference(0.4, np.linspace(0, 1, 101), 2) == percentile(0.4, np.linspace(0, 1, 101))


def test_resampled_sums_have_the_moments_of_a_bootstrap() -> None:
    features = np.random.default_rng(0).normal(size=(400, 2)) + 3
    sums = resampled_sums(features, seed=1, resamples=4000)
    assert sums.mean(axis=0) == pytest.approx(features.sum(axis=0), rel=0.005)
    assert sums.std(axis=0) == pytest.approx(features.std(axis=0) * 20, rel=0.05)


def test_columns_are_resampled_by_the_same_rows() -> None:
    column = np.arange(50.0)
    sums = resampled_sums(np.stack([column, 2 * column, np.ones(50)], axis=1), seed=0)
    np.testing.assert_allclose(sums[:, 1], 2 * sums[:, 0])
    assert set(sums[:, 2]) == {50.0}


def test_chunks_do_not_change_resampled_counts_in_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    confusion = np.array([[40, 10], [5, 45]])
    monkeypatch.setattr("bertline.statistics.intervals._CELLS_AT_ONCE", 30)
    found = resampled_counts(confusion, seed=0, resamples=100)
    assert found.support.shape == (100, 2)
    assert set(found.support.sum(axis=1)) == {100.0}


def test_resampled_counts_agree_with_resampled_rows() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    confusion = metrics.confusion_of(truth, predicted, 5)  # label 4 does not occur
    found = resampled_counts(confusion, seed=0, resamples=3000)
    one_hot = np.concatenate([np.eye(5)[truth], np.eye(5)[predicted], np.eye(5)[truth] * np.eye(5)[predicted]], axis=1)
    by_rows = resampled_sums(one_hot, seed=1, resamples=3000)
    for ours, theirs in zip((found.support, found.predicted, found.hits), np.split(by_rows, 3, axis=1), strict=True):
        np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=1.0)
        np.testing.assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.1)
        assert ours[:, 4].sum() == 0


def test_a_seed_gives_the_same_interval() -> None:
    confusion = np.array([[40, 10], [5, 45]])
    first, again, other = (resampled_counts(confusion, seed=seed).hits for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("statistic", [metrics.macro_f1_of, metrics.mcc_of])
def test_label_intervals_cover(statistic) -> None:  # type: ignore[no-untyped-def]
    shares = np.array([[0.42, 0.06, 0.02], [0.05, 0.25, 0.02], [0.03, 0.03, 0.12]])
    true = float(statistic(ClassCounts(np.diagonal(shares), shares.sum(axis=1), shares.sum(axis=0))))
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(SIMULATIONS):
        confusion = rng.multinomial(400, shares.ravel()).reshape(3, 3)
        resampled = statistic(resampled_counts(confusion, seed=seed, resamples=300))
        found = percentile(float(statistic(ClassCounts.of(confusion))), resampled)
        hits += found.low <= true <= found.high
    assert hits >= fewest(0.94)


@pytest.mark.parametrize("excess", [0.0, 0.03, 0.1])
def test_calibration_error_covers(excess: float) -> None:
    """Confidences are uniform in each of the upper bins, the accuracy ``excess`` below: the true error is it."""
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(SIMULATIONS):
        confidence = rng.uniform(0.6, 1.0, size=300)
        right = rng.random(300) < confidence - excess
        features = np.zeros((300, metrics.BINS))
        features[np.arange(300), metrics.equal_width(confidence)] = confidence - right
        found = calibration_error(features.sum(axis=0), resampled_sums(features, seed=seed, resamples=200), 300)
        assert found.low <= found.value <= found.high
        hits += found.low <= excess <= found.high
    assert hits >= fewest(0.95)


def test_the_percentile_interval_would_miss_a_calibrated_model() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(20):
        confidence = rng.uniform(0.6, 1.0, size=300)
        features = np.zeros((300, metrics.BINS))
        features[np.arange(300), metrics.equal_width(confidence)] = confidence - (rng.random(300) < confidence)
        error = np.abs(resampled_sums(features, seed=seed, resamples=200)).sum(axis=1) / 300
        hits += percentile(error[0], error).low <= 0
    assert hits == 0
