from __future__ import annotations

from typing import Any

import pytest

from bertline.lifecycle.retraining.budget import Budgeted, OverBudget
from bertline.machine.timing import DurationRange
from bertline.training.progress import Plan, Silent, Step

STEP = Step(step=3, steps=10, epoch=1, epochs=1, loss=1.0, tokens_per_s=1.0, seconds_left=1.0)


def plan(seconds: float) -> Plan:
    expected = DurationRange(seconds, seconds)
    return Plan(10, 1, 1, 1, 10, 100, "here", expected, expected)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def budgeted(clock: Clock, *, spent_s: float = 0.0, **changes: Any) -> tuple[Budgeted, list[float]]:
    recorded: list[float] = []
    return Budgeted(Silent(), 60.0, spent_s, recorded.append, clock, **changes), recorded


def test_a_plan_that_takes_longer_is_refused() -> None:
    watched, _ = budgeted(Clock())
    watched.planned(plan(60))
    with pytest.raises(OverBudget) as raised:
        watched.planned(plan(100))
    assert str(raised.value) == (
        "training would take about 1 min 40 s, and the budget is 1 min 0 s: give a larger --budget-min, fewer rows or "
        "a faster machine"
    )


def test_a_run_that_took_too_long_ends_and_its_time_is_recorded() -> None:
    clock = Clock()
    watched, recorded = budgeted(clock)
    for clock.now_s in (1.0, 15.0, 16.0, 59.0):
        watched.stepped(STEP)
    assert recorded == [15.0, 59.0]
    clock.now_s = 61.0
    with pytest.raises(OverBudget) as raised:
        watched.stepped(STEP)
    assert str(raised.value) == (
        "training took 1 min 1 s, and the budget is 1 min 0 s: give a larger --budget-min; it was at step 3 of 10"
    )


def test_earlier_attempts_count_and_their_plan_does_not() -> None:
    clock = Clock()
    watched, _ = budgeted(clock, spent_s=50.0)
    watched.planned(plan(100))  # most of it is done
    clock.now_s = 11.0
    with pytest.raises(OverBudget):
        watched.stepped(STEP)
