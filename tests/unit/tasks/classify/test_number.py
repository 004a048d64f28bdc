"""Numbers: what is measured of them, their largest errors, and two networks compared."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.metrics import r2_score

from bertline.tasks.classify.measure import compare, figures, measure, tune
from bertline.tasks.classify.number import POINTS, NumberEvaluation
from bertline.tasks.classify.spec import Spec
from bertline.tasks.measured import MISTAKES
from bertline.text import Reading
from tests.unit.tasks.classify.test_one_label import numbers

SPEC = Spec(problem="number", labels=("stars",))


def drawn(rows: int = 200, seed: int = 0, noise: float = 1.0) -> tuple[list[float], list[list[np.ndarray]]]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows) * 2
    predicted = truth + noise * np.random.default_rng(seed + 1).normal(size=rows)
    return truth.tolist(), [[np.array([one])] for one in predicted]


def read(rows: int) -> list[Reading]:
    return [Reading([], 3 + i % 40, input=("question", f"text {i}")) for i in range(rows)]


def measured(rows: int = 200) -> NumberEvaluation:
    truth, arrays = drawn(rows)
    evaluation = measure(SPEC, truth, arrays, read(rows), fields=[{"shop": "a" if i % 2 else "b"} for i in range(rows)])
    assert isinstance(evaluation, NumberEvaluation)
    return evaluation


def test_the_score_comes_first_and_the_json_is_plain() -> None:
    evaluation = measured()
    assert [name for name, _ in evaluation.headline()] == ["R²", "MAE", "RMSE", "Spearman"]
    content = evaluation.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert list(content["metrics"]) == ["r2", "mae", "rmse", "spearman", "bias"]
    assert (content["rows"], content["label"]) == (200, "stars")
    assert sum(one.rows for one in evaluation.by_length) == 200
    assert [list(one.to_json()) for one in evaluation.slices["shop"]] == [["name", "rows", "mae", "unsure"]] * 2


def test_a_slice_has_the_mean_error_of_its_rows() -> None:
    truth, arrays = drawn()
    errors = np.abs(np.array(truth) - [one[0][0] for one in arrays])
    [one, other] = measured().slices["shop"]
    assert (one.name, one.estimate.value) == ("b", pytest.approx(errors[::2].mean()))
    assert other.estimate.low < errors[1::2].mean() < other.estimate.high


def test_the_largest_errors_come_first() -> None:
    errors = [abs(one.truth - one.predicted) for one in measured().mistakes]
    assert len(errors) == MISTAKES
    assert errors == sorted(errors, reverse=True)
    assert measured().mistakes[0].excerpt.startswith("question | text ")


def test_the_picture_has_few_points_and_the_ends() -> None:
    evaluation = measured(POINTS * 3)
    assert len(evaluation.points) == POINTS
    assert len(measured(5).points) == 5


def test_figures_of_an_epoch_and_nothing_to_tune() -> None:
    truth, arrays = drawn()
    scores = figures(SPEC, truth, arrays, read(200))
    evaluation = measured()
    assert scores == {"mae": evaluation.scores.mae.value, "spearman": evaluation.scores.spearman.value}
    assert tune(SPEC, truth, arrays, read(200)) is SPEC


@pytest.mark.parametrize("rows", [1, 2])
def test_few_texts_give_finite_figures(rows: int) -> None:
    assert all(math.isfinite(number) for number in numbers(measured(rows).to_json()))


def test_two_networks_on_the_same_texts() -> None:
    truth, arrays = drawn()
    _, worse = drawn(noise=2.0)
    one = compare(SPEC, truth, arrays, worse, read(200))
    gap = r2_score(truth, [a[0][0] for a in arrays]) - r2_score(truth, [a[0][0] for a in worse])
    assert (one.score, one.difference.value) == ("R²", pytest.approx(gap))
    assert (one.verdict, one.only_first, one.only_second) == (1, 200, 0)
    assert compare(SPEC, truth, worse, arrays, read(200)).verdict == -1
    same = compare(SPEC, truth, arrays, arrays, read(200))
    assert (same.verdict, same.agreement, same.p_value, same.only_first) == (0, 1.0, 1.0, 0)


def test_numbers_that_differ_by_less_than_a_tenth_of_the_spread_agree() -> None:
    truth = [0.0, 10.0] * 10  # a standard deviation of 5
    near, far = ([[np.array([one + shift])] for one in truth] for shift in (0.49, 0.51))
    exact = [[np.array([one])] for one in truth]
    assert compare(SPEC, truth, exact, near, read(20)).agreement == 1.0
    assert compare(SPEC, truth, exact, far, read(20)).agreement == 0.0
