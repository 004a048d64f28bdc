from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.statistics.intervals import Estimate
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.text import Piece, Reading
from bertline.training.distillation.distance import Answers
from bertline.training.distillation.fidelity import Compared, Fidelity
from bertline.training.rows import Rows

SPEC = Spec(labels=("a", "b"))
NUMBER = Spec(problem="number", labels=("stars",))


def rows(targets: Sequence[Any]) -> Rows:
    return Rows([Reading([Piece([2, 3])], 2) for _ in targets], list(targets), range(len(targets)))


def answers(right: range) -> list[np.ndarray]:
    return [np.array([1.0, 0.0] if i in right else [0.0, 1.0]) for i in range(1_000)]


def beside(
    student: Sequence[np.ndarray], teacher: Sequence[np.ndarray], spec: TaskSpec = SPEC, truth: Any = ("a",) * 1_000
) -> Fidelity:
    own = rows(truth)
    return Fidelity.of(own, list(student), Answers.of(list(teacher), own, "logits"), spec, spec)


def test_the_retained_share_is_the_ratio_of_accuracies_on_the_same_rows() -> None:
    measured = beside(answers(range(20, 800)), answers(range(800)))
    assert tuple(one.value for one in measured.scores) == (0.78, 0.8)
    assert measured.agreement.value == 0.98
    assert measured.ratio is not None
    assert measured.ratio.value == pytest.approx(0.975)
    assert measured.comparison.difference.value == pytest.approx(-0.02)
    # 20 rows of 1,000 are lost: their number has a standard deviation of √20, so the ratio one of 0.0056
    assert measured.ratio.low == pytest.approx(0.975 - 1.96 * 0.0056, abs=0.002)
    assert measured.ratio.high == pytest.approx(0.975 + 1.96 * 0.0056, abs=0.002)


def test_a_perfect_copy_keeps_everything_with_certainty() -> None:
    measured = beside(answers(range(700)), answers(range(700)))
    assert measured.ratio == Estimate(1.0, 1.0, 1.0)
    assert measured.agreement.value == 1.0


def test_the_figures_are_json_by_name() -> None:
    figures = beside(answers(range(600)), answers(range(700))).to_json()
    assert figures.keys() == {"value", "low", "high", "teacher_accuracy", "student_accuracy", "agreement", "difference"}
    assert figures["difference"].keys() == {"accuracy", "only_first", "only_second", "p_value"}
    assert figures["difference"]["only_second"] == 100


def test_there_is_no_ratio_to_a_score_that_is_not_above_0_and_everything_else_is_there() -> None:
    truth = np.arange(20.0)
    numbers = [np.array([one]) for one in truth]
    measured = beside(numbers, [-one for one in numbers], NUMBER, truth.tolist())
    assert (measured.scores[0].value, measured.ratio) == (1.0, None)
    names = ["R² of the teacher", "R² of the student", "student − teacher", "same answer from both"]
    assert [name for name, _ in measured.headline()] == names
    assert measured.to_json().keys() == {"teacher_r2", "student_r2", "agreement", "difference"}


def test_closeness_is_agreement_divergence_and_accuracy() -> None:
    truth = ("a", "a", "b", "b")
    teacher = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.1, 0.9]]))
    student = np.log(np.array([[0.5, 0.5], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4]])) + 3.0
    close = beside(student, teacher, truth=truth)
    divergences = [0.8 * np.log(1.6) + 0.2 * np.log(0.4), 0.0, 0.0, 0.1 * np.log(1 / 6) + 0.9 * np.log(9 / 4)]
    assert close.divergence == pytest.approx(np.mean(divergences))
    figures = close.closeness()
    assert (figures["agreement"]["value"], figures["accuracy"]["value"]) == (0.75, 0.25)
    assert beside(teacher, teacher, truth=truth).divergence == pytest.approx(0.0, abs=1e-12)


def test_closeness_of_numbers_is_the_squared_difference() -> None:
    teacher, student = np.array([[0.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [3.0]])
    close = beside(student, teacher, NUMBER, [0.0, 2.0, 4.0])
    assert close.divergence == pytest.approx(1 / 3)
    assert close.divergence_text == "mean squared difference 0.3333"
    assert close.closeness().keys() == {"agreement", "squared_difference", "r2"}


def test_a_certain_teacher_costs_no_more_than_a_finite_number() -> None:
    assert beside(np.array([[-2e3, 0.0]]), np.array([[2e3, 0.0]]), truth=["a"]).divergence == 2_000


def test_the_starts_closeness_is_reported_next_to_the_students() -> None:
    logits = np.array([[1.0, 0.0], [1.0, 0.0]])
    student, start = (beside(one, logits, truth=("a", "b")) for one in (logits, -logits))
    assert Compared(SPEC, student, student).on_validation().keys() == {"agreement", "kl_nats", "accuracy"}
    figures = Compared(SPEC, student, student, start).on_validation()
    assert figures["agreement"]["value"] == 1.0
    assert figures["start"]["agreement"]["value"] == 0.0
    assert figures["start"]["kl_nats"] == pytest.approx(float(np.tanh(0.5)))
