from __future__ import annotations

import json
import math
import warnings
from typing import Any

import numpy as np
import pytest

from bertline.errors import TrainingError
from bertline.statistics import metrics
from bertline.statistics.calibration import softmax
from bertline.tasks.classify.one_label import Evaluation, evaluate, label_scores
from bertline.tasks.measured import EXCERPT_CHARACTERS, MISTAKES

LABELS = ("bad", "fair", "good")


def measured(rows: int = 200, *, seed: int = 0, temperature: float = 1.5, **more: Any) -> Evaluation:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size=rows)
    logits = rng.normal(size=(rows, 3)) + 2 * np.eye(3)[truth]
    lengths = rng.integers(3, 40, size=rows)
    return evaluate(truth=truth, logits=logits, temperature=temperature, labels=LABELS, lengths=lengths, **more)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def test_values_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, size=100)
    logits = rng.normal(size=(100, 3)).astype(np.float32)
    found = evaluate(truth=truth, logits=logits, temperature=2.0, labels=LABELS, lengths=[5] * 100)
    before, after = softmax(logits), softmax(logits, 2.0)
    assert found.accuracy.value == pytest.approx(metrics.accuracy(truth, logits))
    assert found.macro_f1.value == pytest.approx(metrics.macro_f1(truth, logits))
    assert found.mcc.value == pytest.approx(metrics.mcc(truth, logits))
    for scores, probabilities in ((found.uncalibrated, before), (found.calibrated, after)):
        for name in ("nll", "brier", "ece", "ece_equal_mass"):
            assert getattr(scores, name).value == pytest.approx(getattr(metrics, name)(truth, probabilities)), name
    assert found.confusion == tuple(map(tuple, metrics.confusion(truth, logits).tolist()))
    assert sum(one.support for one in found.classes) == 100


def test_every_interval_holds_its_value() -> None:
    found = measured()
    scores = [(one.precision, one.recall, one.f1) for one in found.classes]
    estimates = [estimate for _, estimate in found.headline()] + [one for three in scores for one in three]
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
    found = measured(texts=["a text"] * 200, fields=[{"source": "web"}] * 200).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert all(math.isfinite(number) for number in numbers(found))
    assert set(found["metrics"]) >= {"accuracy", "macro_f1", "mcc", "nll", "brier", "ece", "ece_uncalibrated"}
    assert found["slices"]["source"][0]["rows"] == 200


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_few_rows_give_finite_figures_without_warnings(rows: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(rows).to_json()
    assert all(math.isfinite(number) for number in numbers(found))


def test_certain_mistakes_and_absent_labels_give_finite_figures() -> None:
    logits = np.array([[900.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    found = evaluate(truth=np.array([0, 1]), logits=logits, temperature=1.0, labels=LABELS, lengths=[4, 4])
    never = found.classes[2]
    assert (never.f1.value, never.f1.low, never.f1.high, never.support) == (0.0, 0.0, 1.0, 0)
    assert found.classes[1].precision.high == 1.0  # never predicted: nothing is known
    assert all(math.isfinite(number) for number in numbers(found.to_json()))
    assert found.macro_f1.value == pytest.approx((2 / 3 + 0) / 2)


def test_the_same_rows_give_the_same_evaluation() -> None:
    assert measured(seed=1) == measured(seed=1)


def test_mistakes_are_the_most_confident_ones_first() -> None:
    texts = [f"text {i}\n  of {'many ' * 100}" for i in range(200)]
    found = measured(texts=texts)
    assert len(found.mistakes) == MISTAKES
    confidence = [one.confidence for one in found.mistakes]
    assert confidence == sorted(confidence, reverse=True)
    assert all(one.truth != one.predicted for one in found.mistakes)
    assert all(one.excerpt.startswith(f"text {one.row} of many") for one in found.mistakes)
    assert all(len(one.excerpt) <= EXCERPT_CHARACTERS and one.excerpt.endswith("…") for one in found.mistakes)


def test_no_texts_no_mistakes_no_fields_no_slices() -> None:
    found = measured()
    assert found.mistakes == ()
    assert found.slices == {}
    assert sum(one.rows for one in found.by_length) == 200


def test_label_scores_have_wider_intervals_on_fewer_rows() -> None:
    few, many = (label_scores(np.array([[8, 2], [3, 7]]) * factor, seed=0) for factor in (1, 50))
    assert few["macro_f1"].value == pytest.approx(many["macro_f1"].value)
    assert few["macro_f1"].width > 4 * many["macro_f1"].width


def test_logits_that_are_not_finite_are_refused() -> None:
    logits = np.array([[1.0, np.nan, 0.0], [1.0, 0.0, 0.0]])
    with pytest.raises(TrainingError) as caught:
        evaluate(truth=np.array([0, 1]), logits=logits, temperature=1.0, labels=LABELS, lengths=[4, 4])
    assert str(caught.value) == (
        "the model's logits are not finite on 1 of 2 rows: its weights diverged, "
        "so train again with a lower learning rate"
    )


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="no rows to evaluate on: give a larger test ratio or a test file"):
        evaluate(truth=np.zeros(0, dtype=np.int64), logits=np.zeros((0, 3)), temperature=1.0, labels=LABELS, lengths=[])


def test_sizes_that_do_not_fit_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="2 rows, 3 labels, 1 lengths"):
        evaluate(truth=np.array([0, 1]), logits=np.zeros((2, 3)), temperature=1.0, labels=LABELS, lengths=[4])
