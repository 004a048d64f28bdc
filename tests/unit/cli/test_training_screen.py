"""What a person reads while a model trains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bertline.cli import training_screen
from bertline.cli.training_screen import TrainingScreen
from bertline.machine.timing import DurationRange
from bertline.training.progress import Plan, Step, time_sentence


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(training_screen, "time", clock)
    return clock


def plan(low: float, high: float) -> Plan:
    return Plan(80, 10, 10, 3, 300, 1000, "CPU", DurationRange(low, high), DurationRange(low / 3000, high / 3000))


def step(number: int, left: float, pace: float = 1000.0) -> Step:
    return Step(number, 300, 1, 3, 0.5, float(pace), float(left))


def test_one_figure_where_the_timings_agree_and_a_range_where_not() -> None:
    """T17."""
    assert time_sentence(plan(2100.0, 2200.0)) == "about 35 min 49 s at 1 tokens/s, measured on this machine"
    assert time_sentence(plan(2160.0, 9960.0)) == (
        "36 min 0 s to 2 h 46 min, because the machine is busy and its pace varies from 0 to 1 tokens/s"
    )


def corrections(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith("Time: now")]


def test_a_plan_that_was_wrong_is_corrected_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """T17: 2 h 46 min were planned at a disturbed moment."""
    with TrainingScreen() as screen:
        screen.planned(plan(9900.0, 9960.0))
        for second in range(1, 200):
            clock.now += 1
            screen.stepped(step(second, 2160 - second))
    assert corrections(capsys.readouterr().err) == [
        "Time: now about 35 min 40 s left at 1,000 tokens/s, the pace of the last minute"
    ]


def test_it_is_reported_again_when_the_machine_gets_busy_later(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """T17."""
    with TrainingScreen() as screen:
        screen.planned(plan(2100.0, 2200.0))
        for left, pace in ((2000, 1000), (1900, 1000), (7000, 200), (6900, 200), (1500, 1000)):
            clock.now += 60
            screen.stepped(step(1, left, pace))
    assert corrections(capsys.readouterr().err) == [
        "Time: now about 1 h 56 min left at 200 tokens/s, the pace of the last minute",
        "Time: now about 25 min 0 s left at 1,000 tokens/s, the pace of the last minute",
    ]


def test_a_range_that_holds_is_left_alone(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """T17."""
    with TrainingScreen() as screen:
        screen.planned(plan(2000.0, 9000.0))
        for left in (2500, 8000, 3000):
            clock.now += 60
            screen.stepped(step(1, left))
    told = capsys.readouterr().err
    assert corrections(told) == []
    assert not told.startswith("\n")


def test_an_erratic_pace_is_reported_at_most_once_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """T17: a line a second helps nobody."""
    with TrainingScreen() as screen:
        screen.planned(plan(100.0, 100.0))
        for second in range(1, 161):
            clock.now += 1
            screen.stepped(step(second, 1000 if second % 2 else 5000))
    assert len(corrections(capsys.readouterr().err)) == 3  # after 20, 81 and 142 seconds


def test_one_epoch_is_singular(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingScreen() as screen:
        screen.planned(replace(plan(2.0, 2.0), epochs=1, steps=1))
        screen.planned(plan(2.0, 2.0))
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Plan: 1 epoch of 80 rows (1,000 tokens), 1 step on CPU"
    assert told[2] == "Plan: 3 epochs of 80 rows (1,000 tokens), 300 steps on CPU"
