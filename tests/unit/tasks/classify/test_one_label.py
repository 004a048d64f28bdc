from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.errors import TrainingError
from bertline.statistics import metrics
from bertline.statistics.calibration import softmax
from bertline.tasks.classify.measure import measure
from bertline.tasks.classify.one_label import Evaluation, label_scores
from bertline.tasks.classify.spec import Spec
from bertline.tasks.measured import EXCERPT_CHARACTERS, MISTAKES
from bertline.text import Reading
from tests.unit.statistics import points

LABELS = ("bad", "fair", "good")


def evaluate(
    names: Sequence[str],
    logits: np.ndarray,
    labels: tuple[str, ...] = LABELS,
    *,
    temperature: float = 1.0,
    lengths: Sequence[int] | None = None,
    texts: Sequence[str] | None = None,
    **more: Any,
) -> Evaluation:
    texts = [f"text {i}" for i in range(len(names))] if texts is None else texts
    readings = [Reading([], read, input=text) for read, text in zip(lengths or [5] * len(texts), texts, strict=True)]
    evaluation = measure(
        Spec(labels=labels, temperature=temperature), names, [[row] for row in logits], readings, **more
    )
    assert isinstance(evaluation, Evaluation)
    return evaluation


def named(truth: np.ndarray, labels: tuple[str, ...] = LABELS) -> list[str]:
    return [labels[i] for i in truth]


def measured(rows: int = 200, *, seed: int = 0, temperature: float = 1.5, **more: Any) -> Evaluation:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size=rows)
    logits = rng.normal(size=(rows, 3)) + 2 * np.eye(3)[truth]
    lengths = rng.integers(3, 40, size=rows).tolist()
    return evaluate(named(truth), logits, temperature=temperature, lengths=lengths, **more)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def test_values_equal_the_metrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, size=100)
    logits = rng.normal(size=(100, 3)).astype(np.float32)
    figures = evaluate(named(truth), logits, temperature=2.0)
    before, after = softmax(logits), softmax(logits, 2.0)
    assert figures.accuracy.value == pytest.approx(metrics.accuracy(truth, logits))
    assert figures.macro_f1.value == pytest.approx(points.macro_f1(truth, logits))
    assert figures.mcc.value == pytest.approx(points.mcc(truth, logits))
    for scores, probabilities in ((figures.uncalibrated, before), (figures.calibrated, after)):
        for name in ("nll", "brier", "ece", "ece_equal_mass"):
            assert getattr(scores, name).value == pytest.approx(getattr(points, name)(truth, probabilities)), name
    assert figures.confusion == tuple(map(tuple, points.confusion(truth, logits).tolist()))
    assert sum(one.support for one in figures.classes) == 100


def test_every_interval_holds_its_value() -> None:
    figures = measured()
    scores = [(one.precision, one.recall, one.f1) for one in figures.classes]
    estimates = [estimate for _, estimate in figures.headline()] + [one for three in scores for one in three]
    assert all(one.low <= one.value <= one.high for one in estimates)
    assert all(one.width > 0 for one in estimates)


def test_headline_names_come_most_wanted_first() -> None:
    assert [name for name, _ in measured().headline()] == [
        "accuracy",
        "macro-F1",
        "MCC",
        "NLL",
        "Brier",
        "ECE",
        "ECE before temperature",
    ]


def test_json_is_plain_and_finite() -> None:
    figures = measured(texts=["a text"] * 200, fields=[{"source": "web"}] * 200).to_json()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert all(math.isfinite(number) for number in numbers(figures))
    assert set(figures["metrics"]) >= {"accuracy", "macro_f1", "mcc", "nll", "brier", "ece", "ece_uncalibrated"}
    assert figures["slices"]["source"][0]["rows"] == 200


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_few_rows_give_finite_figures_without_warnings(rows: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = measured(rows).to_json()
    assert all(math.isfinite(number) for number in numbers(figures))


def test_certain_mistakes_and_absent_labels_give_finite_figures() -> None:
    logits = np.array([[900.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    figures = evaluate(["bad", "fair"], logits)
    never = figures.classes[2]
    assert (never.f1.value, never.f1.low, never.f1.high, never.support) == (0.0, 0.0, 1.0, 0)
    assert figures.classes[1].precision.high == 1.0  # never predicted: nothing is known
    assert all(math.isfinite(number) for number in numbers(figures.to_json()))
    assert figures.macro_f1.value == pytest.approx((2 / 3 + 0) / 2)


def test_the_same_rows_give_the_same_evaluation() -> None:
    assert measured(seed=1) == measured(seed=1)


def test_mistakes_are_the_most_confident_ones_first() -> None:
    texts = [f"text {i}\n  of {'many ' * 100}" for i in range(200)]
    figures = measured(texts=texts)
    assert len(figures.mistakes) == MISTAKES
    confidence = [one.confidence for one in figures.mistakes]
    assert confidence == sorted(confidence, reverse=True)
    assert all(one.truth != one.predicted for one in figures.mistakes)
    assert all(one.excerpt.startswith(f"text {one.row} of many") for one in figures.mistakes)
    assert all(len(one.excerpt) <= EXCERPT_CHARACTERS and one.excerpt.endswith("…") for one in figures.mistakes)


def test_no_fields_no_slices() -> None:
    figures = measured()
    assert figures.slices == {}
    assert sum(one.rows for one in figures.by_length) == 200


def test_label_scores_have_wider_intervals_on_fewer_rows() -> None:
    few, many = (label_scores(np.array([[8, 2], [3, 7]]) * factor, seed=0) for factor in (1, 50))
    assert few["macro_f1"].value == pytest.approx(many["macro_f1"].value)
    assert few["macro_f1"].width > 4 * many["macro_f1"].width


def test_logits_that_are_not_finite_are_refused() -> None:
    logits = np.array([[1.0, np.nan, 0.0], [1.0, 0.0, 0.0]])
    with pytest.raises(TrainingError) as caught:
        evaluate(["bad", "fair"], logits)
    assert str(caught.value) == (
        "the model's logits are not finite on 1 of 2 rows: its weights diverged, "
        "so train again with a lower learning rate"
    )


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="no rows to evaluate on: give a larger test ratio or a test file"):
        evaluate([], np.zeros((0, 3)))


def test_sizes_that_do_not_fit_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="2 rows, 2 arrays, 1 readings"):
        evaluate(["bad", "fair"], np.zeros((2, 3)), texts=["one"])
