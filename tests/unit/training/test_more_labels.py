"""The learning curve of a linear model, and what it says of more labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.statistics.intervals import Estimate
from bertline.statistics.power_law import fall
from bertline.training.more_labels import MoreLabels, keep_more_labels, kept_more_labels, measure_more_labels


def drawn(rows: int, seed: int, noise: float) -> tuple[Any, Any]:
    """Rows of two labels around two points, in many directions that say nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    features = rng.normal(scale=noise, size=(rows, 60))
    features[:, 0] += 2 * labels - 1
    return features, labels


def measured(rows: int, noise: float, held_out: int = 2000) -> MoreLabels:
    found = measure_more_labels(*drawn(rows, 1, noise), *drawn(held_out, 2, noise), rows=rows, seed=0)
    assert found is not None
    return found


def test_a_model_that_is_still_learning_gains_from_more_and_one_that_knows_does_not() -> None:
    learning, knowing = measured(400, 1.0), measured(400, 0.2)
    assert learning.sizes == (50, 100, 200, 400)
    values = [one.value for one in learning.accuracy]
    assert values == sorted(values)
    assert learning.slope.high < -0.1
    assert learning.slope.low <= learning.slope.value <= learning.slope.high
    assert knowing.accuracy[-1].value > 0.999
    assert knowing.slope.high == 0


def test_it_tells_the_accuracy_of_twice_as_many() -> None:
    """Within its interval: the curve that is drawn from half of the rows goes through the rest."""
    features, labels = drawn(800, 1, 1.0)
    held_out, expected = drawn(4000, 2, 1.0)
    half = measure_more_labels(features[:400], labels[:400], held_out, expected, rows=400, seed=0)
    whole = measure_more_labels(features, labels, held_out, expected, rows=800, seed=0)
    assert half is not None
    assert whole is not None
    gain = fall(1 - half.accuracy[-1].value, 400, 400, half.slope)
    assert gain.low - 0.01 < whole.accuracy[-1].value - half.accuracy[-1].value < gain.high + 0.01


@pytest.mark.parametrize(("rows", "held_out"), [(79, 400), (400, 49)])
def test_few_rows_tell_nothing(rows: int, held_out: int) -> None:
    assert measure_more_labels(*drawn(rows, 1, 1.0), *drawn(held_out, 2, 1.0), rows=rows, seed=0) is None


def test_a_resumed_run_finds_it_again(tmp_path: Path) -> None:
    found = measured(400, 1.0, held_out=100)
    assert kept_more_labels(tmp_path) is None
    keep_more_labels(tmp_path / "state", found)
    assert kept_more_labels(tmp_path / "state") == found
    keep_more_labels(tmp_path / "other", None)
    assert not (tmp_path / "other").exists()


def test_it_is_said_in_points_for_the_models_own_error() -> None:
    accuracy = (Estimate(0.7, 0.6, 0.8),) * 4
    found = MoreLabels(300, (38, 75, 150, 300), accuracy, Estimate(-0.5, -0.6, -0.3))
    name, said = found.fact(0.8)
    assert name == "More labels"
    hundred, double = (
        "2.7 points (95\u202f% 1.7 to 3.2)",
        "5.9 points (95\u202f% 3.8 to 6.8)",
    )
    assert f"100 more than the 300 rows would raise the accuracy by {hundred}, twice as many by {double}, " in said
