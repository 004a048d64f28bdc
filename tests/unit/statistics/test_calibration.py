from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax as reference

from bertline.statistics.calibration import HIGHEST_TEMPERATURE, calibrated_nll, fit_temperature, reliability, softmax
from tests.unit.statistics import points


def drawn(count: int, scale: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of logits, and those logits multiplied by ``scale``: the true T."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 4)) * 2
    cumulative = softmax(logits).cumsum(axis=1)
    truth = (rng.random((count, 1)) > cumulative).sum(axis=1)
    return logits * scale, truth.clip(0, 3)


@given(seed=st.integers(0, 999), temperature=st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_softmax_equals_scipy(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(size=(5, 3)) * 50
    np.testing.assert_allclose(softmax(logits, temperature), reference(logits / temperature, axis=1), atol=1e-12)


def test_softmax_of_huge_logits_is_finite_and_does_not_change_its_input() -> None:
    logits = np.array([[1e4, -1e4]], dtype=np.float32)
    assert softmax(logits).tolist() == [[1.0, 0.0]]
    assert logits.tolist() == [[1e4, -1e4]]


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_the_true_temperature_is_found(scale: float) -> None:
    logits, truth = drawn(20_000, scale)
    assert fit_temperature(logits, truth) == pytest.approx(scale, rel=0.04)


def test_no_temperature_near_the_found_one_is_better() -> None:
    logits, truth = drawn(300, 3.0)
    found = fit_temperature(logits, truth)
    best = points.nll(truth, softmax(logits, found))
    assert all(best <= points.nll(truth, softmax(logits, found * factor)) for factor in (0.5, 0.98, 1.02, 2))


def test_scaling_keeps_the_labels_and_lowers_the_error_on_other_rows() -> None:
    temperature = fit_temperature(*drawn(2_000, 3.0, seed=1))
    logits, truth = drawn(2_000, 3.0, seed=2)
    before, after = softmax(logits), softmax(logits, temperature)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert points.ece(truth, after) < points.ece(truth, before) / 3


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_rows_without_a_mistake_do_not_sharpen(rows: int) -> None:
    logits = np.tile([[0.5, 0.0]], (rows, 1))
    assert fit_temperature(logits, np.zeros(rows, dtype=np.int64)) == 1.0


@pytest.mark.parametrize("rows", [1, 2, 20, 2000])
def test_rows_without_a_mistake_allow_as_much_confidence_as_there_are_rows(rows: int) -> None:
    logits = np.tile([[8.0, 0.0]], (rows, 1))
    found = fit_temperature(logits, np.zeros(rows, dtype=np.int64))
    assert softmax(logits, found)[0, 0] == pytest.approx((rows + 1) / (rows + 2), abs=1e-4)


def test_rows_without_a_right_one_end_at_the_bound() -> None:
    logits = np.tile([[2.0, -1.0]], (20, 1))
    found = fit_temperature(logits, np.ones(20, dtype=np.int64))
    assert 0.99 * HIGHEST_TEMPERATURE < found <= HIGHEST_TEMPERATURE


def test_logits_that_say_nothing_keep_1() -> None:
    assert fit_temperature(np.zeros((4, 2)), np.array([0, 1, 0, 1])) == 1.0


def test_reliability_is_the_table_of_ece() -> None:
    logits, truth = drawn(500, 2.0)
    probabilities = softmax(logits)
    bins = reliability(truth, probabilities)
    assert sum(one.rows for one in bins) == 500
    assert all(one.low < one.confidence <= one.high for one in bins)
    summed = sum(abs(one.confidence - one.accuracy.value) * one.rows for one in bins) / 500
    assert summed == pytest.approx(points.ece(truth, probabilities))
    assert asdict(bins[0])["accuracy"].keys() == {"value", "low", "high"}


def test_the_calibrated_loss_is_that_at_the_best_temperature_and_ignores_overconfidence() -> None:
    logits, truth = drawn(500, 2.5)
    expected = points.nll(truth, softmax(logits, fit_temperature(logits, truth)))
    assert calibrated_nll(logits, truth) == pytest.approx(float(np.mean(expected)))
    assert calibrated_nll(4 * logits, truth) == pytest.approx(calibrated_nll(logits, truth), abs=1e-6)
    assert calibrated_nll(logits[:0], truth[:0]) == 0
