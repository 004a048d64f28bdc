from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from bertline.statistics import metrics
from bertline.statistics.metrics import ClassCounts
from tests.unit.statistics import points


def rows(seed: int, count: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(labels, 0.5), size=count)
    return rng.integers(0, labels, size=count), probabilities


@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), labels=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_equals_scikit_learn(seed: int, count: int, labels: int) -> None:
    truth, probabilities = rows(seed, count, labels)
    predicted, every = probabilities.argmax(axis=1), list(range(labels))
    counts = ClassCounts.of(points.confusion(truth, probabilities))

    assert metrics.accuracy(truth, probabilities) == pytest.approx(reference.accuracy_score(truth, predicted))
    assert points.macro_f1(truth, probabilities) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert points.nll(truth, probabilities) == pytest.approx(reference.log_loss(truth, probabilities, labels=every))
    assert (points.confusion(truth, probabilities) == reference.confusion_matrix(truth, predicted, labels=every)).all()
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    np.testing.assert_allclose(metrics.precision_of(counts), precision)
    np.testing.assert_allclose(metrics.recall_of(counts), recall)
    np.testing.assert_allclose(metrics.f1_of(counts), f1)
    np.testing.assert_array_equal(counts.support, support)


@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (3, 1), (8, 2)])
def test_mcc_equals_scikit_learn(labels: int, seed: int) -> None:
    truth, probabilities = rows(seed, 200, labels)
    expected = reference.matthews_corrcoef(truth, probabilities.argmax(axis=1))
    assert points.mcc(truth, probabilities) == pytest.approx(expected)


def test_brier_is_the_sum_form() -> None:
    truth, probabilities = rows(3, 100, 4)
    one_hot = np.eye(4)[truth]
    assert points.brier(truth, probabilities) == pytest.approx(((probabilities - one_hot) ** 2).sum(axis=1).mean())


def test_brier_of_two_labels_is_twice_the_one_sided_one() -> None:
    truth, probabilities = rows(4, 100, 2)
    one_sided = reference.brier_score_loss(truth, probabilities[:, 1])
    assert points.brier(truth, probabilities) == pytest.approx(2 * one_sided)


def test_certain_and_right_costs_nothing() -> None:
    truth, probabilities = np.array([0, 1]), np.eye(2)
    assert points.nll(truth, probabilities) == 0
    assert points.brier(truth, probabilities) == 0
    assert points.ece(truth, probabilities) == 0


def test_a_certain_mistake_costs_a_finite_number_of_nats() -> None:
    assert points.nll(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(36.04, abs=0.01)
    assert points.brier(np.array([1]), np.array([[1.0, 0.0]])) == 2


def test_ece_by_hand() -> None:
    # two bins of 15: (9/15, 10/15] with 0.62, 0.64 and one of two right; (14/15, 1] with 0.95 and right
    probabilities = np.array([[0.62, 0.38], [0.64, 0.36], [0.95, 0.05]])
    truth = np.array([0, 1, 0])
    assert points.ece(truth, probabilities) == pytest.approx((abs(0.62 + 0.64 - 1) + abs(0.95 - 1)) / 3)


def test_a_bin_holds_its_upper_edge() -> None:
    assert metrics.equal_width(np.array([0.0, 0.2, 0.2000001, 1.0]), 5).tolist() == [0, 0, 1, 4]


def test_equal_mass_bins_hold_equally_many_rows_and_keep_ties_together() -> None:
    confidence = np.random.default_rng(0).random(300)
    assert np.bincount(metrics.equal_mass(confidence, 15)).tolist() == [20] * 15
    assert len(set(metrics.equal_mass(np.full(300, 0.9), 15).tolist())) == 1


def test_equal_mass_error_of_one_bin_is_the_difference_of_means() -> None:
    truth, probabilities = rows(5, 50, 3)
    expected = abs(probabilities.max(axis=1).mean() - metrics.accuracy(truth, probabilities))
    assert points.ece_equal_mass(truth, probabilities, bins=1) == pytest.approx(expected)


def test_ratios_without_a_denominator_are_0() -> None:
    # label 1 is never predicted, label 2 is never true, label 3 is neither
    counts = ClassCounts.of(metrics.confusion_of(np.array([0, 0, 1]), np.array([0, 2, 0]), 4))
    assert metrics.precision_of(counts).tolist() == [0.5, 0, 0, 0]
    assert metrics.recall_of(counts).tolist() == [0.5, 0, 0, 0]
    assert metrics.f1_of(counts).tolist() == [0.5, 0, 0, 0]
    assert float(metrics.macro_f1_of(counts)) == pytest.approx(0.5 / 3)  # label 3 does not occur


def test_mcc_of_one_label_is_0() -> None:
    assert points.mcc(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]])) == 0


def test_label_metrics_of_no_rows_are_0() -> None:
    truth, probabilities = np.zeros(0, dtype=np.int64), np.zeros((0, 2))
    assert [metric(truth, probabilities) for metric in (metrics.accuracy, points.macro_f1, points.mcc)] == [0.0] * 3


def test_label_metrics_of_logits_and_probabilities_are_equal() -> None:
    truth, probabilities = rows(6, 40, 3)
    for metric in (metrics.accuracy, points.macro_f1, points.mcc):
        assert metric(truth, np.log(probabilities)) == metric(truth, probabilities)
