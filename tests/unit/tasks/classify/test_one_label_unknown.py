"""Rows of labels that the model does not know: wrong, named and counted apart; the figures are scikit-learn's."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score

from bertline.evaluation.report import render
from bertline.statistics.calibration import softmax
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.classify.truth import read_truth
from tests.unit.statistics import points
from tests.unit.tasks.classify.test_one_label import evaluate, numbers

LABELS = ("bad", "fair", "good", "never")
NAMES = ["bad", "fair", "good", "odd", "new", "good", "odd"] * 20


def logits_for(names: list[str]) -> np.ndarray:
    rng = np.random.default_rng(3)
    towards = np.array([[4.0 * (name == label) for label in LABELS] for name in names])
    return rng.normal(size=(len(names), len(LABELS))) + towards


def measured(names: list[str] = NAMES) -> Evaluation:
    return evaluate(names, logits_for(names), LABELS, temperature=1.5)


def test_figures_equal_scikit_learns_of_the_same_name() -> None:
    """T16."""
    figures = measured()
    predicted = [LABELS[i] for i in logits_for(NAMES).argmax(axis=1)]
    assert figures.accuracy.value == pytest.approx(accuracy_score(NAMES, predicted))
    assert figures.macro_f1.value == pytest.approx(f1_score(NAMES, predicted, average="macro"))
    assert figures.mcc.value == pytest.approx(matthews_corrcoef(NAMES, predicted))
    for score, name in ((precision_score, "precision"), (recall_score, "recall"), (f1_score, "f1")):
        wanted = score(NAMES, predicted, labels=list(LABELS), average=None, zero_division=0)
        assert [getattr(one, name).value for one in figures.classes] == pytest.approx(list(wanted)), name


def test_they_are_named_and_counted_apart() -> None:
    """T16."""
    figures = measured()
    assert [asdict(entry) for entry in figures.unknown] == [{"label": "new", "rows": 20}, {"label": "odd", "rows": 40}]
    assert (figures.unknown_rows, figures.rows, len(figures.confusion)) == (60, 140, len(LABELS))
    assert sum(map(sum, figures.confusion)) == 80
    known = [i for i, name in enumerate(NAMES) if name in LABELS]
    alone = evaluate([NAMES[i] for i in known], logits_for(NAMES)[known], LABELS, temperature=1.5)
    assert figures.known_accuracy == alone.accuracy
    assert figures.confusion == alone.confusion
    assert figures.calibrated.nll.value == pytest.approx(alone.calibrated.nll.value)
    assert figures.absent == ("never",)
    assert {one.truth for one in figures.mistakes} <= {"new", "odd", *LABELS}
    assert figures.to_json()["unknown_labels"] == [asdict(entry) for entry in figures.unknown]
    assert json.loads(json.dumps(figures.to_json(), allow_nan=False)) == figures.to_json()


def test_brier_and_calibration_are_over_all_rows() -> None:
    """T16: a row of an unknown label is one that the model is sure of and has wrong."""
    figures, truth = measured(), read_truth(NAMES, LABELS)
    widened = np.pad(softmax(logits_for(NAMES), 1.5), ((0, 0), (0, 2)))
    assert figures.calibrated.brier.value == pytest.approx(points.brier(truth.rows, widened))
    assert figures.calibrated.ece.value == pytest.approx(points.ece(truth.rows, widened))
    assert sum(one.rows for one in figures.calibrated.bins) == 140


def test_every_interval_holds_its_value() -> None:
    """T16."""
    figures = measured()
    scores = [(one.precision, one.recall, one.f1) for one in figures.classes]
    estimates = [estimate for _, estimate in figures.headline()] + [one for three in scores for one in three]
    assert all(one.low <= one.value <= one.high for one in estimates)


@pytest.mark.parametrize("names", [["odd"], ["odd", "bad"], ["odd"] * 30, ["never"] * 3, ["bad"] * 5])
def test_few_labels_and_only_unknown_ones_give_finite_figures(names: list[str]) -> None:
    """T16: no NaN and no warning where labels have no row."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = measured(names)
    assert all(math.isfinite(number) for number in numbers(figures.to_json()))


def test_the_page_says_so() -> None:
    """T16."""
    page = render(measured(), title="t", history=(), baselines=(), facts=(), settings=())
    assert (
        "60 rows are of a label that the model does not know and counted as wrong; of the other rows it is right"
        in page
    )
    assert "No row has the label “never”: how well the model finds it cannot be evaluated here." in page
    assert "Labels that the model does not know" in page
    assert "Labels that the model does not know" not in render(
        measured(["bad"]), title="t", history=(), baselines=(), facts=(), settings=()
    )
