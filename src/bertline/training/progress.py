"""Progress of a run: events for listeners, and their text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bertline.machine.timing import DurationRange
from bertline.statistics.figures import title, value
from bertline.tasks.history import EpochRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run, and its estimated duration on this machine.

    Attributes:
        seconds: of all epochs of all runs.
        token_seconds: of a trained token.
        runs: of these epochs, whose weights are averaged.
    """

    train_rows: int
    validation_rows: int
    test_rows: int
    epochs: int
    steps: int
    tokens_per_epoch: int
    place: str
    seconds: DurationRange
    token_seconds: DurationRange
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step: position, mean loss of the epoch so far, pace of the last minute, seconds left of the run."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    tokens_per_s: float
    seconds_left: float


@runtime_checkable
class Progress(Protocol):
    """Listens to a run."""

    def note(self, text: str) -> None:
        """A fact worth a line: rows read, duplicates left out, texts cut."""

    def planned(self, plan: Plan) -> None:
        """Training is about to start."""

    def stepped(self, step: Step) -> None:
        """One step is done."""

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """An epoch and its validation are done."""


class Silent:
    """A listener that shows nothing."""

    def note(self, text: str) -> None:
        """Ignore."""

    def planned(self, plan: Plan) -> None:
        """Ignore."""

    def stepped(self, step: Step) -> None:
        """Ignore."""

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """Ignore."""


def plan_lines(plan: Plan) -> tuple[str, str]:
    """What the run will do, and how long that takes here."""
    runs = f"{plan.runs} runs of " if plan.runs > 1 else ""
    return (
        f"Plan: {runs}{_number(plan.epochs, 'epoch')} of {_number(plan.train_rows, 'row')} "
        f"({_number(plan.tokens_per_epoch, 'token')}), {_number(plan.steps, 'step')} on {plan.place}",
        f"Time: {time_sentence(plan)}",
    )


def step_figures(step: Step) -> str:
    """Loss, pace and time left."""
    return f"loss {step.loss:.3f}  {step.tokens_per_s:,.0f} tokens/s  {duration(step.seconds_left)} left"


def epoch_line(record: EpochRecord, best: bool) -> str:
    """The figures of an epoch."""
    mark = "  best so far" if best else ""
    return (
        f"Epoch {record.epoch}: train loss {record.train_loss:.3f}, validation loss {record.validation_loss:.3f}, "
        f"{''.join(f'{title(name)} {value(name, figure)}, ' for name, figure in record.figures.items())}"
        f"{duration(record.seconds)}{mark}"
    )


def time_sentence(plan: Plan) -> str:
    """How long a run takes: one figure where the timings agree, else a range."""
    slow, fast = 1 / plan.token_seconds.high, 1 / plan.token_seconds.low
    if plan.seconds.stable:
        middle = 1 / plan.token_seconds.middle
        return f"about {duration(plan.seconds.middle)} at {middle:,.0f} tokens/s, measured on this machine"
    return (
        f"{duration(plan.seconds.low)} to {duration(plan.seconds.high)}, because the machine is busy and its pace "
        f"varies from {slow:,.0f} to {fast:,.0f} tokens/s"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(8.0), duration(100.0), duration(4000.0)
    ('8 s', '1 min 40 s', '1 h 6 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
