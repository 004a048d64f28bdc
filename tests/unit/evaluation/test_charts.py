from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from bertline.evaluation import charts
from bertline.statistics.calibration import reliability
from bertline.statistics.intervals import Estimate, wilson
from bertline.statistics.slices import Slice
from bertline.tasks.history import EpochRecord


def records(epochs: int, name: str = "accuracy") -> list[EpochRecord]:
    return [
        EpochRecord(i + 1, 9, 1.0, 99, 0.6 / (i + 1), 0.5, {name: 0.8 + 0.01 * (i % 3), "other": 0.1})
        for i in range(epochs)
    ]


def texts(drawn: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(drawn).iter("text")]


def marks(drawn: str, class_: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(drawn).iter() if one.attrib.get("class") == class_]


@pytest.mark.parametrize("epochs", [1, 2, 4, 40])
def test_learning_curves_have_a_point_per_epoch(epochs: int) -> None:
    loss, accuracy = charts.loss_curves(records(epochs)), charts.figure_curve(records(epochs))
    in_legend = 1
    assert len(marks(loss, "first dot")) == len(marks(loss, "second dot")) == epochs + in_legend
    assert len(marks(accuracy, "first dot")) == epochs + in_legend
    assert len([name for name in texts(loss) if name.isdigit() and name != "0"]) <= charts.EPOCH_LABELS


def test_the_best_epoch_is_named() -> None:
    drawn = charts.figure_curve(records(4))
    assert len(marks(drawn, "ring")) == 1
    assert texts(drawn).count("82.0\N{NARROW NO-BREAK SPACE}%") >= 1


def test_a_loss_of_0_can_be_drawn() -> None:
    nothing = [EpochRecord(1, 1, 1.0, 1, 0.0, 0.0, {"accuracy": 1.0})]
    assert "nan" not in charts.loss_curves(nothing) + charts.figure_curve(nothing)


def bins(rows: int, seed: int = 0) -> tuple:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([1.0, 1.0], size=rows)
    return reliability(rng.integers(0, 2, rows), probabilities)


def test_reliability_shows_bins_with_rows_as_points_with_whiskers() -> None:
    after = bins(400)
    drawn = charts.reliability_diagram(after, bins(400, seed=1))
    solid = [one for one in after if one.rows >= charts.SOLID_ROWS]
    assert len(marks(drawn, "whisker")) == 3 * len(solid)
    assert len(marks(drawn, "first bar")) == len(after)
    assert f"{max(one.rows for one in (*after, *bins(400, seed=1))):,}" in texts(drawn)


def test_reliability_of_one_row_has_no_whisker_and_no_line() -> None:
    drawn = charts.reliability_diagram(bins(1), bins(1))
    assert marks(drawn, "whisker") == []
    assert len(marks(drawn, "first curve")) == 1  # the legend's


def test_lengths_show_value_rows_and_interval() -> None:
    drawn = charts.by_length(
        [
            Slice("1–16 tokens", 1_200, wilson(900, 1_200), unsure=False),
            Slice("17–30 tokens", 100, wilson(80, 100), unsure=False),
        ],
        0.75,
    )
    assert {"1–16", "17–30", "1,200", "100"} <= set(texts(drawn))
    assert len(marks(drawn, "whisker")) == 6


def test_perfect_accuracy_stays_on_the_picture() -> None:
    drawn = charts.by_length([Slice("4 tokens", 9, wilson(9, 9), unsure=True)], 1.0)
    assert all(float(one.attrib["cy"]) >= 0 for one in marks(drawn, "first dot"))


def test_bars_start_at_0_and_the_first_is_marked() -> None:
    drawn = charts.bars("accuracy", [("Encoder", Estimate(0.8, 0.7, 0.9)), ("Majority", Estimate(0.4, 0.3, 0.5))])
    (first,), (other,) = marks(drawn, "first bar"), marks(drawn, "other bar")
    assert float(first.attrib["width"]) == pytest.approx(2 * float(other.attrib["width"]), abs=0.02)
    assert first.attrib["x"] == other.attrib["x"]


def test_interval_marks_share_a_scale() -> None:
    one, two = (charts.interval_mark("accuracy", Estimate(v, v - 0.1, v + 0.1), 0.5, (0.2, 0.9)) for v in (0.4, 0.7))
    places = [float(marks(drawn, "first dot")[0].attrib["cx"]) for drawn in (one, two)]
    rules = [marks(drawn, "rule")[0].attrib["x1"] for drawn in (one, two)]
    assert places[0] < float(rules[0]) < places[1]
    assert rules[0] == rules[1]


def test_bins_alone_have_one_curve_and_their_counts() -> None:
    drawn = charts.reliability_diagram(bins(400), rows="pairs", across="probability")
    assert {"pairs", "probability", "share of pairs"} <= set(texts(drawn))
    assert marks(drawn, "second dot") == []


def test_the_ring_is_around_the_last_epoch_that_was_the_best_whatever_its_figure_and_errors_are_no_percentage() -> None:
    first, *others = records(3, "mae")
    drawn = charts.figure_curve([replace(first, best=True), *others])
    [ring] = marks(drawn, "ring")
    assert float(ring.attrib["cx"]) == charts.LEFT
    assert "0.800" in texts(drawn)
    assert "%" not in drawn


def test_a_figure_below_0_and_one_above_1_stay_on_the_picture() -> None:
    below = charts.bars("r2", [("Encoder", Estimate(0.8, 0.7, 0.9)), ("Mean", Estimate(-0.2, -0.4, -0.1))])
    first, other = (marks(below, f"{name} bar")[0] for name in ("first", "other"))
    assert float(other.attrib["x"]) + float(other.attrib["width"]) == pytest.approx(float(first.attrib["x"]), abs=0.02)
    above = charts.bars("mae", [("Encoder", Estimate(40.0, 30.0, 50.0))])
    assert float(marks(above, "first bar")[0].attrib["width"]) <= charts.WIDTH
    slices = [Slice("4 tokens", 9, Estimate(40.0, 30.0, 50.0), unsure=True, figure="mae")]
    assert "MAE, 95\u202f% interval" in texts(charts.by_length(slices, 41.0))
