"""Answers made of numbers, so that what is true is known."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.data.examples import Dataset, Example
from bertline.lifecycle.gate.rows import Judged, Outputs
from bertline.lifecycle.gate.scores import non_inferior, rows_needed, slices
from bertline.lifecycle.gate.settings import GateSettings
from bertline.tasks.classify.spec import Spec
from bertline.text import Reading

SPEC = Spec(labels=("bad", "good"))


def judged(own: np.ndarray, other: np.ndarray, groups: list[str] | None = None) -> Judged:
    """Rows that are all good; which of them each model has right."""
    rows = len(own)
    groups = groups or ["a"] * rows
    examples = [Example(i + 2, f"text {i}", "good", fields={"group": groups[i]}) for i in range(rows)]
    dataset = object.__new__(Dataset)
    object.__setattr__(dataset, "examples", examples)
    readings = [Reading([], 10 + i % 7) for i in range(rows)]

    def arrays(right: np.ndarray) -> list[list[np.ndarray]]:
        return [[np.array([0.0, 1.0 if one else -1.0])] for one in right]

    return Judged("rows.csv", dataset, Outputs(SPEC, readings, arrays(own)), Outputs(SPEC, readings, arrays(other)))


def two(rows: int, worse: float, seed: int, *, disagree: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong of both: they differ on a share of the rows, the first is worse by ``worse``."""
    drawn = np.random.default_rng(seed).random(rows)
    own, other = np.ones(rows, dtype=bool), np.ones(rows, dtype=bool)
    own[drawn < (disagree + worse) / 2] = False
    other[(drawn >= (disagree + worse) / 2) & (drawn < disagree)] = False
    return own, other


def equal(rows: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Both are wrong equally often, on other rows."""
    own, other = np.ones(rows, dtype=bool), np.ones(rows, dtype=bool)
    own[:each] = other[each : 2 * each] = False
    return own, other


def test_an_equal_challenger_passes_where_rows_can_tell() -> None:
    found = non_inferior(judged(*two(4_000, 0.0, 0)), GateSettings())
    assert (found.decision, found.name) == ("yes", "frozen rows · rows.csv")
    assert found.figures["difference"]["low"] > -0.02


def test_few_rows_are_refused_with_the_number_that_would_do() -> None:
    found = non_inferior(judged(*equal(100, 5)), GateSettings(), fresh=True)
    assert found.decision == "undecided"
    assert found.name == "fresh rows · rows.csv"
    assert 400 <= found.figures["needed"] <= 3_000
    assert f"100 rows cannot tell, about {found.figures['needed']:,} would" in found.sentence


def test_models_that_answer_alike_on_few_rows_are_no_yes() -> None:
    """A loss of 2 points shows in none of 100 rows with a chance of 13 %, and in none of 190 with 2.1 %."""
    few, enough = (non_inferior(judged(*two(rows, 0.0, 0, disagree=0.0)), GateSettings()) for rows in (100, 200))
    assert (few.decision, enough.decision) == ("undecided", "yes")
    assert few.figures["needed"] == 190
    assert few.figures["difference"]["low"] == pytest.approx(-0.037, abs=0.0005)
    assert few.figures["difference"]["high"] == pytest.approx(0.037, abs=0.0005)
    often = non_inferior(judged(*two(200, 0.0, 0, disagree=0.0)), GateSettings(looks=10))
    assert (often.decision, often.figures["needed"]) == ("undecided", 390)


def test_a_rare_loss_passes_as_rarely_as_stated() -> None:
    """Models that differ only where the challenger is wrong, by the margin."""
    rng = np.random.default_rng(0)
    pairs = ((rng.random(100) >= 0.02, np.ones(100, dtype=bool)) for _ in range(60))
    assert not any(non_inferior(judged(*pair), GateSettings()).decision == "yes" for pair in pairs)


def test_a_worse_challenger_fails() -> None:
    assert non_inferior(judged(*two(4_000, 0.03, 0)), GateSettings()).decision == "no"
    assert non_inferior(judged(*two(400, 0.09, 0)), GateSettings()).decision == "no"


@pytest.mark.parametrize("draws", [50, pytest.param(500, marks=pytest.mark.drill)])
def test_a_challenger_that_is_worse_by_the_margin_passes_as_rarely_as_stated(draws: int) -> None:
    """2.5 % and three standard errors."""
    passed = sum(non_inferior(judged(*two(800, 0.02, seed)), GateSettings()).decision == "yes" for seed in range(draws))
    assert passed <= draws * 0.025 + 3 * (draws * 0.025 * 0.975) ** 0.5


def test_more_looks_need_more_evidence() -> None:
    rows = judged(*equal(1_200, 50))
    once, often = (non_inferior(rows, GateSettings(looks=looks)) for looks in (1, 20))
    assert once.figures["difference"]["low"] > often.figures["difference"]["low"]
    assert (once.decision, often.decision) == ("yes", "undecided")


def test_the_number_of_rows_is_round_and_large_enough() -> None:
    assert rows_needed(0.04, 0.02, 103) == 420
    assert rows_needed(0.5, 0.02, 100) == 63_000
    assert rows_needed(0.03, 0.02, 4) == 9


def test_a_slice_that_is_worse_stops_an_equal_challenger() -> None:
    own, other = two(4_000, 0.0, 1)
    groups = ["rare" if i % 10 == 0 else "common" for i in range(4_000)]
    rare = np.array([one == "rare" for one in groups])
    own[np.flatnonzero(rare)[:48]] = False
    other[np.flatnonzero(~rare)[:48]] = False
    rows = judged(own, other, groups)
    assert non_inferior(rows, GateSettings()).decision == "yes"
    found = slices(rows, GateSettings())
    assert found.decision == "no"
    assert found.sentence.startswith("group = rare: \N{MINUS SIGN}1")
    assert slices(rows, GateSettings(slice_margin=30)).decision == "yes"


@pytest.mark.parametrize("draws", [20, pytest.param(200, marks=pytest.mark.drill)])
def test_slices_that_are_equal_pass(draws: int) -> None:
    """Eight slices each; 5 % and three standard errors."""
    groups = [f"group {i % 4}" for i in range(800)]
    decisions = [slices(judged(*two(800, 0.0, seed), groups), GateSettings()).decision for seed in range(draws)]
    assert decisions.count("no") <= draws * 0.05 + 3 * (draws * 0.05 * 0.95) ** 0.5


def test_the_worst_slice_is_named() -> None:
    own, other = np.ones(400, dtype=bool), np.ones(400, dtype=bool)
    own[:20], own[100:140] = False, False
    groups = [f"group {i // 100}" for i in range(400)]
    assert slices(judged(own, other, groups), GateSettings()).sentence.startswith("group = group 1: ")


def test_a_column_of_thousands_of_values_takes_no_more_memory_than_one() -> None:
    rows = judged(*two(2_000, 0.0, 0), groups=[f"user {i}" if i >= 60 else f"user {i % 3}" for i in range(2_000)])
    found = rows.slices(20)
    assert [name for name, _ in found][:3] == ["group = user 0", "group = user 1", "group = user 2"]
    assert sum(1 for name, _ in rows.slices(1) if name.startswith("group")) == 1_943
    assert not isinstance(found, dict | list)


@pytest.mark.parametrize("rows", [10, 19])
def test_slices_of_few_rows_say_nothing(rows: int) -> None:
    found = slices(judged(*two(rows, 0.0, 0)), GateSettings())
    assert found.decision == "yes"
    assert found.sentence == "no slice has 20 rows"
