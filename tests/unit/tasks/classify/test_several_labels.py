"""Figures of several labels are scikit-learn's; thresholds come from validation texts; unknown labels are missed."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    hamming_loss,
    precision_recall_fscore_support,
)

from bertline.errors import TrainingError
from bertline.statistics.activation import sigmoid
from bertline.tasks.classify.answer import answers
from bertline.tasks.classify.measure import compare, figures, measure, tune
from bertline.tasks.classify.several_labels import NOTHING, SeveralEvaluation
from bertline.tasks.classify.spec import Spec
from bertline.text import Reading
from tests.unit.tasks.classify.test_one_label import numbers

LABELS = ("blue", "green", "red")
SPEC = Spec(problem="several", labels=LABELS, thresholds=(0.4, 0.5, 0.7))
Truth = list[tuple[str, ...]]


def drawn(rows: int = 200, *, seed: int = 0, bias: float = 0.0) -> tuple[Truth, np.ndarray]:
    rng = np.random.default_rng(seed)
    flags = rng.random((rows, 3)) < [0.5, 0.2, 0.1]
    logits = rng.normal(size=(rows, 3)) + 3 * flags - 1.5 + bias
    return [tuple(name for name, one in zip(LABELS, row, strict=True) if one) for row in flags], logits


def pieces(logits: np.ndarray) -> list[list[np.ndarray]]:
    return [[row.astype(np.float32)] for row in logits]


def read(rows: int) -> list[Reading]:
    return [Reading([], 3 + i % 40, input=f"text {i}") for i in range(rows)]


def measured(truth: Truth, logits: np.ndarray, spec: Spec = SPEC, **more: Any) -> SeveralEvaluation:
    evaluation = measure(spec, truth, pieces(logits), read(len(truth)), **more)
    assert isinstance(evaluation, SeveralEvaluation)
    return evaluation


def flags(truth: Truth, names: tuple[str, ...] = LABELS) -> np.ndarray:
    return np.array([[name in row for name in names] for row in truth])


def given(logits: np.ndarray, spec: Spec = SPEC) -> np.ndarray:
    return np.asarray(sigmoid(logits.astype(np.float32)) >= spec.cuts)


def test_values_equal_scikit_learns() -> None:
    truth, logits = drawn()
    evaluation, true, guess = measured(truth, logits), flags(truth), given(logits)
    for average in ("micro", "macro"):
        theirs = precision_recall_fscore_support(true, guess, average=average)[:3]
        ours = getattr(evaluation, average)
        assert [ours[name].value for name in ("precision", "recall", "f1")] == pytest.approx(theirs)
        half = sigmoid(logits.astype(np.float32)) >= 0.5
        assert evaluation.at_half[average].value == pytest.approx(f1_score(true, half, average=average))
    assert evaluation.exact_match.value == pytest.approx(accuracy_score(true, guess))
    assert evaluation.hamming.value == pytest.approx(hamming_loss(true, guess))
    each = precision_recall_fscore_support(true, guess, average=None)
    for i, one in enumerate(evaluation.classes):
        found = (one.precision.value, one.recall.value, one.f1.value, one.support)
        assert found == pytest.approx(tuple(float(column[i]) for column in each))
        probability = sigmoid(logits.astype(np.float32))[:, i]
        assert one.brier.value == pytest.approx(brier_score_loss(true[:, i], probability))
    assert evaluation.brier.value == pytest.approx(np.mean([one.brier.value for one in evaluation.classes]))


def test_the_calibration_error_is_the_sum_over_its_bins() -> None:
    evaluation = measured(*drawn())
    assert sum(one.rows for one in evaluation.bins) == 600
    summed = sum(one.rows * abs(one.confidence - one.accuracy.value) for one in evaluation.bins) / 600
    assert evaluation.ece.value == pytest.approx(summed)


def test_every_interval_holds_its_value() -> None:
    evaluation = measured(*drawn())
    each = [(one.precision, one.recall, one.f1, one.f1_at_half, one.ece, one.brier) for one in evaluation.classes]
    estimates = [one for _, one in evaluation.headline()] + [one for some in each for one in some]
    assert all(one.low <= one.value <= one.high and one.width > 0 for one in estimates)


def test_the_micro_interval_is_that_of_resampled_texts() -> None:
    """Against a plain loop; the ends differ by less than the Monte Carlo error of both."""
    truth, logits = drawn(100, seed=3)
    true, guess, rng = flags(truth), given(logits), np.random.default_rng(9)
    draws = (rng.integers(0, 100, size=100) for _ in range(1_000))
    values = [f1_score(true[some], guess[some], average="micro") for some in draws]
    micro = measured(truth, logits).micro["f1"]
    assert [micro.low, micro.high] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.012)


def test_the_measured_answers_are_the_served_ones() -> None:
    truth, logits = drawn(50)
    evaluation = measured(truth, logits)
    rows = [one.labels for one in answers(SPEC, pieces(logits), read(50))]  # type: ignore[union-attr]
    assert evaluation.exact_match.value == np.mean([row == true for row, true in zip(rows, truth, strict=True)])


def test_the_mean_over_windows_counts() -> None:
    truth, logits = drawn(40)
    windows = [[row - 1, row + 1] for row in logits]
    assert figures(SPEC, truth, windows, read(40)) == pytest.approx(figures(SPEC, truth, pieces(logits), read(40)))


def test_labels_that_only_the_texts_have_are_missed() -> None:
    truth, logits = drawn(60)
    truth = [(*row, "odd") if i % 3 == 0 else row for i, row in enumerate(truth)]
    evaluation, names = measured(truth, logits), (*LABELS, "odd")
    guess = np.pad(given(logits), ((0, 0), (0, 1)))
    true = flags(truth, names)
    assert evaluation.micro["recall"].value < measured(*drawn(60)).micro["recall"].value
    assert evaluation.micro["f1"].value == pytest.approx(f1_score(true, guess, average="micro"))
    assert evaluation.macro["f1"].value == pytest.approx(f1_score(true, guess, average="macro"))
    assert evaluation.exact_match.value == pytest.approx(accuracy_score(true, guess))
    assert [asdict(entry) for entry in evaluation.unknown] == [{"label": "odd", "rows": 20}]
    assert {label for one in evaluation.mistakes for label in one.truth.split(", ")} >= {"odd"}
    assert evaluation.ece == measured(*drawn(60)).ece


@pytest.mark.parametrize("name", ["no labels", "one text", "all wrong", "nothing given", "certain"])
def test_odd_texts_give_finite_figures_without_warnings(name: str) -> None:
    truth, logits = drawn(12)
    cases: dict[str, tuple[Truth, np.ndarray]] = {
        "no labels": ([()] * 12, logits),
        "one text": (truth[:1], logits[:1]),
        "all wrong": (truth, np.where(flags(truth), -9.0, 9.0)),
        "nothing given": (truth, np.full((12, 3), -9.0)),
        "certain": (truth, np.where(flags(truth), 900.0, -900.0)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = measured(*cases[name], fields=[{"a": "b"}] * len(cases[name][0])).to_json()
    assert all(math.isfinite(number) for number in numbers(content))
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_a_text_without_labels_is_right_when_none_is_given() -> None:
    evaluation = measured([(), ("red",)], np.array([[-9.0, -9.0, -9.0], [-9.0, -9.0, -9.0]]))
    assert evaluation.exact_match.value == 0.5
    [mistake] = evaluation.mistakes
    assert (mistake.row, mistake.truth, mistake.predicted) == (1, "red", NOTHING)
    assert mistake.confidence > 0.99


def test_thresholds_are_chosen_on_validation_texts() -> None:
    """A network that gives too low probabilities loses recall at 0.5 and not at the chosen thresholds."""
    validation, test = drawn(600, seed=1, bias=-1.5), drawn(600, seed=2, bias=-1.5)
    untuned = Spec(problem="several", labels=LABELS)
    spec = tune(untuned, validation[0], pieces(validation[1]), read(600))
    assert (spec.temperature, untuned.thresholds) == (1.0, ())
    assert all(0 < one < 0.5 for one in spec.thresholds)
    evaluation = measured(*test, spec)
    assert evaluation.macro["f1"].value > evaluation.at_half["macro"].value + 0.1
    assert Spec.model_validate(spec.model_dump()) == spec


def test_a_rare_label_keeps_the_half() -> None:
    truth, logits = drawn(300, seed=4, bias=-1.5)
    rare = [tuple(one for one in row if one != "red" or i < 60) for i, row in enumerate(truth)]
    assert sum("red" in row for row in rare) < 10
    assert tune(SPEC, rare, pieces(logits), read(300)).thresholds[2] == 0.5
    assert tune(SPEC, [], [], []).thresholds == (0.5, 0.5, 0.5)


def test_figures_of_an_epoch_are_at_the_half() -> None:
    truth, logits = drawn()
    half = sigmoid(logits.astype(np.float32)) >= 0.5
    scores = figures(SPEC, truth, pieces(logits), read(200))
    assert list(scores) == ["micro_f1", "macro_f1"]
    assert scores["micro_f1"] == pytest.approx(f1_score(flags(truth), half, average="micro"))


def test_two_networks_on_the_same_texts() -> None:
    truth, logits = drawn(300)
    worse = np.where(np.arange(300)[:, None] % 4 == 0, -logits, logits)
    one = compare(SPEC, truth, pieces(logits), pieces(worse), read(300))
    gap = [f1_score(flags(truth), given(some), average="micro") for some in (logits, worse)]
    assert (one.score, one.value, one.difference.value) == (
        "micro-F1",
        pytest.approx(gap[0]),
        pytest.approx(gap[0] - gap[1]),
    )
    assert (one.verdict, one.p_value) == (1, pytest.approx(1 / 1001))
    assert 0.75 <= one.agreement < 1
    same = compare(SPEC, truth, pieces(logits), pieces(logits), read(300))
    assert (same.verdict, same.agreement, same.only_first, same.difference.width) == (0, 1.0, 0, 0.0)


def test_each_of_two_networks_has_its_own_thresholds() -> None:
    truth, logits = drawn(300)
    strict = SPEC.model_copy(update={"thresholds": (0.9, 0.9, 0.9)})
    one = compare(SPEC, truth, pieces(logits), pieces(logits), read(300), other=(strict, read(300)))
    gap = [f1_score(flags(truth), given(logits, spec), average="micro") for spec in (SPEC, strict)]
    assert one.difference.value == pytest.approx(gap[0] - gap[1])
    assert one.agreement < 1


def test_values_that_are_not_finite_are_refused() -> None:
    truth, logits = drawn(3)
    logits[1, 1] = np.inf
    with pytest.raises(TrainingError, match="the model's logits are not finite on 1 of 3 rows"):
        measured(truth, logits)
    with pytest.raises(TrainingError, match="no rows to evaluate on"):
        measured([], np.zeros((0, 3)))
