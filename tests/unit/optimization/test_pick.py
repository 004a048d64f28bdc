from __future__ import annotations

import re

import numpy as np
import pytest

from bertline.optimization.cold_start import ColdStart
from bertline.optimization.measure import EngineFigures, EngineSpeed
from bertline.optimization.pick import caveat, cost, frontier, pick, smallest_visible_drop, visible_drop
from bertline.optimization.settings import Goal
from bertline.statistics.intervals import Estimate
from bertline.statistics.paired import compare
from bertline.tasks.contract import Comparison


def engine(
    accuracy: float, *, texts_per_s: float = 100.0, p50_ms: float = 1.0, megabytes: float = 10.0
) -> EngineFigures:
    """Accuracy in per cent of 200 rows, of which fp32 has 90 per cent right."""
    right, expected = np.arange(200) < 2 * accuracy, np.arange(200) < 180
    paired, agreement = compare(right, expected, resamples=10), float((right == expected).mean())
    return EngineFigures(
        Comparison("accuracy", accuracy / 100, paired.accuracy, paired.p_value, agreement, 0, 0),
        *(EngineSpeed(float(texts_per_s), float(p50_ms), 3.0 * p50_ms), float(megabytes), ColdStart(1.0, 100.0)),
    )


ENGINES = {
    "fp32": engine(90, texts_per_s=100, p50_ms=4, megabytes=90),
    "int8": engine(89.5, texts_per_s=300, p50_ms=2, megabytes=30),
    "small": engine(89, texts_per_s=250, p50_ms=1, megabytes=10),
    "student": engine(80, texts_per_s=900, p50_ms=0.5, megabytes=5),
}


@pytest.mark.parametrize(("goal", "expected"), [("throughput", "int8"), ("latency", "small"), ("size", "small")])
def test_the_best_for_the_goal_within_the_allowed_drop_is_picked(goal: Goal, expected: str) -> None:
    assert pick(ENGINES, goal, 1.0) == expected
    assert pick(ENGINES, goal, 10.0) == "student"
    assert pick(ENGINES, goal, 0.0) == "fp32"


def test_a_drop_of_exactly_the_limit_is_allowed() -> None:
    assert ENGINES["int8"].quality.drop_points == pytest.approx(0.5)
    assert pick(ENGINES, "throughput", 0.5) == "int8"


@pytest.mark.parametrize("goal", ["throughput", "latency"])
def test_of_engines_about_as_fast_the_one_that_agrees_most_is_picked(goal: Goal) -> None:
    whole = engine(89.5, texts_per_s=300, p50_ms=2.0)
    pruned = engine(89, texts_per_s=325, p50_ms=1.85, megabytes=5)
    assert pick({"fp32": ENGINES["fp32"], "pruned": pruned, "int8": whole}, goal, 1.0) == "int8"
    assert pick({"fp32": ENGINES["fp32"], "pruned": pruned, "int8": whole}, "size", 1.0) == "pruned"
    faster = engine(89, texts_per_s=335, p50_ms=1.75)
    assert pick({"fp32": ENGINES["fp32"], "pruned": faster, "int8": whole}, goal, 1.0) == "pruned"


def test_of_engines_that_agree_alike_the_fastest_is_picked() -> None:
    twins = {"a": engine(89, texts_per_s=300), "b": engine(89, texts_per_s=310)}
    assert pick(twins, "throughput", 1.0) == "b"


def test_an_engine_that_gains_accuracy_has_a_negative_drop() -> None:
    assert engine(92).quality.drop_points == pytest.approx(-2)
    assert pick({"fp32": ENGINES["fp32"], "better": engine(92, texts_per_s=120)}, "throughput", 0.0) == "better"


def test_each_goal_minimises_its_own_cost() -> None:
    one = engine(90, texts_per_s=50, p50_ms=7, megabytes=3)
    assert [cost(one, goal) for goal in ("throughput", "latency", "size")] == [pytest.approx(0.02), 7, 3]


def test_the_frontier_holds_the_candidates_unbeaten_in_both_measures() -> None:
    assert frontier(ENGINES, "size") == {"fp32", "int8", "small", "student"}
    assert frontier(ENGINES, "throughput") == {"fp32", "int8", "student"}, "int8 is faster than small, and better"


def test_equals_are_all_on_the_frontier() -> None:
    assert frontier({"a": engine(90), "b": engine(90)}, "latency") == {"a", "b"}


def test_the_detectable_difference_is_two_standard_errors_of_a_paired_one() -> None:
    """By simulation: without a true difference, 19 of 20 measured ones are smaller."""
    rows, disagreement = 800, 0.05
    only_one = np.random.default_rng(0).binomial(rows, disagreement, 4000)
    drops = 100 * np.abs(2 * np.random.default_rng(1).binomial(only_one, 0.5) - only_one) / rows
    smaller = (drops < smallest_visible_drop(rows, disagreement)).mean()
    assert smaller == pytest.approx(0.95, abs=0.015)


def test_four_times_the_rows_show_half_the_drop() -> None:
    assert smallest_visible_drop(4000, 0.02) == pytest.approx(smallest_visible_drop(1000, 0.02) / 2)
    assert smallest_visible_drop(0, 0.02) == 100.0


def test_enough_rows_need_no_caveat() -> None:
    assert caveat(100_000, 0.5, smallest_visible_drop(100_000, 0.02)) is None


def test_a_caveat_gives_the_detectable_difference_and_the_rows_needed() -> None:
    sentence = caveat(1000, 0.5, smallest_visible_drop(1000, 0.02))
    assert sentence is not None
    assert sentence.startswith("with 1,000 rows a drop of 0.5 points is not significant: only drops from about 0.9")
    needed = int(re.findall(r"about ([\d,]+) rows would suffice", sentence)[0].replace(",", ""))
    assert smallest_visible_drop(needed + 1, 0.02) == pytest.approx(0.5, rel=1e-3)


def test_without_any_allowed_drop_there_is_still_a_caveat() -> None:
    assert "a drop of 0 points is not significant" in str(caveat(1000, 0.0, smallest_visible_drop(1000, 0.0)))


def test_another_scores_detectable_difference_is_half_its_interval() -> None:
    compared = Comparison("R²", 0.75, Estimate(-0.01, -0.03, 0.01), 0.5, 0.9, 40, 60)
    assert visible_drop(100, compared) == pytest.approx(2.0)
    counted = Comparison("accuracy", 0.75, Estimate(-0.01, -0.03, 0.01), 0.5, 0.9, 1, 2)
    assert visible_drop(100, counted) == smallest_visible_drop(100, 0.03)
