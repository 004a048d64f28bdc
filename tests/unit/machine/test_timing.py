"""Estimates on a machine that others use too: stable, or said with a range, and corrected as the work goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bertline.machine import timing
from bertline.machine.timing import MOST_ROUNDS, DurationRange, Pace, until_stable


class Machine:
    """Work that takes the given seconds, one after the other, the last one for ever; its clock goes on meanwhile."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.now, self.rounds = list(seconds), 100.0, 0

    def clock(self) -> float:
        return self.now

    def work(self) -> float:
        spent = self.seconds[min(self.rounds, len(self.seconds) - 1)]
        self.rounds += 1
        self.now += spent
        return spent


def test_a_quiet_machine_is_sampled_three_times() -> None:
    machine = Machine(1.0, 1.02, 0.99)
    found = until_stable(machine.work, clock=machine.clock)
    assert (found, machine.rounds) == (DurationRange(0.99, 1.02), 3)
    assert found.stable


@pytest.mark.parametrize("disturbed", [(4.6,), (0.9, 2.0), (1.0, 4.0, 1.0)])
def test_a_disturbed_moment_is_waited_out(disturbed: tuple[float, ...]) -> None:
    """T17: 4.6 times as slow a moment made 2 h 46 min of 36 min."""
    machine = Machine(*disturbed, 0.2)
    found = until_stable(machine.work, clock=machine.clock)
    assert found == DurationRange(0.2, 0.2)
    assert machine.rounds == len(disturbed) + 3


def test_a_machine_that_stays_busy_is_reported_with_a_range() -> None:
    """T17."""
    machine = Machine(*[0.2, 0.9] * MOST_ROUNDS)
    found = until_stable(machine.work, clock=machine.clock)
    assert (found, machine.rounds) == (DurationRange(0.2, 0.9), MOST_ROUNDS)
    assert not found.stable
    assert found.times(3600) == DurationRange(720.0, 3240.0)


def test_trying_ends_with_its_budget() -> None:
    """T17: a large model is timed twice at least, and both are told unless they agree."""
    machine = Machine(8.0, 4.0, 1.0)
    assert until_stable(machine.work, clock=machine.clock) == DurationRange(4.0, 8.0)
    machine = Machine(60.0, 40.0, 1.0)
    assert (until_stable(machine.work, clock=machine.clock), machine.rounds) == (DurationRange(40.0, 60.0), 2)


def measured(*steps: tuple[int, float, float]) -> Pace:
    pace = Pace()
    for times, amount, seconds in steps:
        for _ in range(times):
            pace.did(amount, seconds)
    return pace


@pytest.mark.parametrize(
    ("steps", "per_s"),
    [
        ([], 0.0),
        ([(10, 100, 1.0)], 100.0),
        ([(100, 100, 4.6), (80, 100, 1.0)], 100.0),
        ([(1000, 100, 1.0), (30, 100, 4.0)], 25.0),
        ([(5, 100, 400.0)], 0.25),
    ],
    ids=["nothing yet", "even", "disturbed at first", "disturbed now", "steps of minutes"],
)
def test_the_pace_is_that_of_the_last_minute(steps: list[tuple[int, float, float]], per_s: float) -> None:
    """T17."""
    pace = measured(*steps)
    assert pace.per_s == pytest.approx(per_s)
    assert pace.seconds_for(1000) == pytest.approx(1000 / per_s if per_s else 0.0)


def test_the_window_is_bounded_in_seconds() -> None:
    pace = measured((10_000, 1, 0.1))
    assert len(pace._done) <= timing.WINDOW_S / 0.1 + 1


def test_the_budget_is_of_the_clock_given(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Callable[[], float] = iter([0.0, timing.BUDGET_S, timing.BUDGET_S]).__next__
    assert until_stable(iter([1.0, 2.0, 3.0]).__next__, clock=ticks) == DurationRange(1.0, 2.0)
