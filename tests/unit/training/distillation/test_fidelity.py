from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison, TaskSpec
from bertline.text import Piece, Reading
from bertline.training.distillation.distance import Answers
from bertline.training.distillation.fidelity import Closeness, Kept, OnValidation, measure_closeness
from bertline.training.rows import Rows

SPEC = Spec(labels=("a", "b"))
NUMBER = Spec(problem="number", labels=("stars",))


def rows(targets: Sequence[Any]) -> Rows:
    return Rows([Reading([Piece([2, 3])], 2) for _ in targets], list(targets), range(len(targets)))


def answers(right: range) -> list[np.ndarray]:
    return [np.array([1.0, 0.0] if i in right else [0.0, 1.0]) for i in range(1_000)]


def kept(
    student: list[np.ndarray], teacher: list[np.ndarray], spec: TaskSpec = SPEC, truth: Any = ("a",) * 1_000
) -> Kept:
    own, read = rows(truth), task(spec.task).measure
    pieces = [own.by_text(one) for one in (student, teacher)]
    first, second = (read.measure(spec, own.targets, one, own.readings) for one in pieces)
    return Kept.of(first, second, read.compare(spec, own.targets, *pieces, own.readings))


def close(truth: Sequence[Any], student: np.ndarray, teacher: np.ndarray, spec: TaskSpec = SPEC) -> Closeness:
    own = rows(truth)
    return measure_closeness(spec, own, list(student), Answers.of(list(teacher), own, "logits"))


def test_what_is_kept_is_the_ratio_of_the_accuracies_on_the_same_rows() -> None:
    found = kept(answers(range(20, 800)), answers(range(800)))
    assert (found.student.value, found.teacher.value, found.agreement.value) == (0.78, 0.8, 0.98)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(0.975)
    assert found.comparison.difference.value == pytest.approx(-0.02)
    # 20 rows of 1,000 are lost: their number has a standard deviation of √20, so the ratio one of 0.0056
    assert found.ratio.low == pytest.approx(0.975 - 1.96 * 0.0056, abs=0.002)
    assert found.ratio.high == pytest.approx(0.975 + 1.96 * 0.0056, abs=0.002)


def test_of_a_perfect_copy_everything_is_kept_without_doubt() -> None:
    found = kept(answers(range(700)), answers(range(700)))
    assert found.ratio == Estimate(1.0, 1.0, 1.0)
    assert found.agreement.value == 1.0


def test_the_figures_are_json_by_name() -> None:
    said = kept(answers(range(600)), answers(range(700))).to_json()
    assert said.keys() == {"value", "low", "high", "teacher_accuracy", "student_accuracy", "agreement", "difference"}
    assert said["difference"].keys() == {"accuracy", "only_first", "only_second", "p_value"}
    assert said["difference"]["only_second"] == 100


def test_of_a_teacher_without_a_score_above_0_there_is_no_ratio() -> None:
    truth = np.arange(20.0)
    numbers = [np.array([one]) for one in truth]
    found = kept(numbers, [-one for one in numbers], NUMBER, truth.tolist())
    assert (found.student.value, found.ratio) == (1.0, None)
    assert "kept (student ÷ teacher)" not in dict(found.headline())
    assert found.to_json().keys() == {"teacher_r2", "student_r2", "agreement", "difference"}


def test_without_a_ratio_nothing_else_is_missing() -> None:
    score = Estimate(0.5, 0.4, 0.6)
    found = Kept(score, score, None, score, Comparison("R²", 0.5, Estimate(0.0, 0.0, 0.0), 1.0, 0.5, 0, 0))
    names = ["R² of the teacher", "R² of the student", "student − teacher", "same answer from both"]
    assert [name for name, _ in found.headline()] == names


def test_closeness_is_agreement_divergence_and_accuracy() -> None:
    truth = ("a", "a", "b", "b")
    teacher = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.1, 0.9]]))
    student = np.log(np.array([[0.5, 0.5], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4]])) + 3.0
    found = close(truth, student, teacher)
    divergences = [0.8 * np.log(1.6) + 0.2 * np.log(0.4), 0.0, 0.0, 0.1 * np.log(1 / 6) + 0.9 * np.log(9 / 4)]
    assert found.divergence == pytest.approx(np.mean(divergences))
    assert (found.agreement.value, found.score.value, found.name) == (0.75, 0.25, "accuracy")
    assert close(truth, teacher, teacher).divergence == pytest.approx(0.0, abs=1e-12)


def test_closeness_of_numbers_is_the_squared_difference() -> None:
    found = close([0.0, 2.0, 4.0], np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [2.0], [3.0]]), NUMBER)
    assert found.divergence == pytest.approx(1 / 3)
    assert found.divergence_text == "mean squared difference 0.3333"
    assert found.to_json().keys() == {"agreement", "squared_difference", "r2"}


def test_a_certain_teacher_costs_no_more_than_a_finite_number() -> None:
    found = close(["a"], np.array([[-2e3, 0.0]]), np.array([[2e3, 0.0]]))
    assert found.divergence == 2_000


def test_the_closeness_of_the_start_stands_beside_the_students() -> None:
    logits = np.array([[1.0, 0.0], [1.0, 0.0]])
    student, start = (close(("a", "b"), one, logits) for one in (logits, -logits))
    assert OnValidation(student).to_json().keys() == {"agreement", "kl_nats", "accuracy"}
    said = OnValidation(student, start).to_json()
    assert said["agreement"]["value"] == 1.0
    assert said["start"]["agreement"]["value"] == 0.0
    assert said["start"]["kl_nats"] == pytest.approx(float(np.tanh(0.5)))
