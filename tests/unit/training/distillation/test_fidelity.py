from __future__ import annotations

import numpy as np
import pytest

from bertline.training.distillation.fidelity import OnValidation, measure_closeness, measure_kept

TRUTH = np.zeros(1_000, dtype=np.int64)


def answers(right: range) -> np.ndarray:
    found = np.ones(1_000, dtype=np.int64)
    found[list(right)] = 0
    return found


def test_what_is_kept_is_the_ratio_of_the_accuracies_on_the_same_rows() -> None:
    kept = measure_kept(TRUTH, answers(range(20, 800)), answers(range(800)))
    assert (kept.student.value, kept.teacher.value, kept.agreement.value) == (0.78, 0.8, 0.98)
    assert kept.ratio.value == pytest.approx(0.975)
    assert kept.difference.accuracy.value == pytest.approx(-0.02)
    # 20 rows of 1,000 are lost: their number has a standard deviation of √20, so the ratio one of 0.0056
    assert kept.ratio.low == pytest.approx(0.975 - 1.96 * 0.0056, abs=0.002)
    assert kept.ratio.high == pytest.approx(0.975 + 1.96 * 0.0056, abs=0.002)


def test_of_a_perfect_copy_everything_is_kept_without_doubt() -> None:
    kept = measure_kept(TRUTH, answers(range(700)), answers(range(700)))
    assert (kept.ratio.value, kept.ratio.low, kept.ratio.high) == (1.0, 1.0, 1.0)
    assert kept.agreement.value == 1.0


def test_the_figures_are_json_by_name() -> None:
    said = measure_kept(TRUTH, answers(range(600)), answers(range(700))).to_json()
    assert said.keys() == {"value", "low", "high", "teacher_accuracy", "student_accuracy", "agreement", "difference"}
    assert said["difference"]["only_second"] == 100


def test_closeness_is_agreement_divergence_and_accuracy() -> None:
    truth = np.array([0, 0, 1, 1])
    teacher = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.1, 0.9]]))
    student = np.log(np.array([[0.5, 0.5], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4]])) + 3.0
    found = measure_closeness(truth, student, teacher)
    divergences = [0.8 * np.log(1.6) + 0.2 * np.log(0.4), 0.0, 0.0, 0.1 * np.log(1 / 6) + 0.9 * np.log(9 / 4)]
    assert found.divergence == pytest.approx(np.mean(divergences))
    assert (found.agreement.value, found.accuracy.value) == (0.75, 0.25)
    assert measure_closeness(truth, teacher, teacher).divergence == 0.0


def test_a_certain_teacher_costs_no_more_than_a_finite_number() -> None:
    found = measure_closeness(np.array([0]), np.array([[-2e3, 0.0]]), np.array([[2e3, 0.0]]))
    assert 500 < found.divergence < 1_000


def test_the_closeness_of_the_start_stands_beside_the_students() -> None:
    truth, logits = np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])
    student, start = (measure_closeness(truth, one, logits) for one in (logits, -logits))
    assert OnValidation(student).to_json().keys() == {"agreement", "kl_nats", "accuracy"}
    said = OnValidation(student, start).to_json()
    assert said["agreement"]["value"] == 1.0
    assert said["start"]["agreement"]["value"] == 0.0
    assert said["start"]["kl_nats"] == pytest.approx(float(np.tanh(0.5)))
