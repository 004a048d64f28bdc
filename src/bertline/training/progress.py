"""What a run tells while it works: values, shown by whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bertline.machine.timing import DurationRange
from bertline.tasks.history import EpochRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do, and how long that takes at the pace measured on this machine.

    Attributes:
        seconds: of all epochs.
        token_seconds: of a trained token.
    """

    train_rows: int
    validation_rows: int
    test_rows: int
    labels: tuple[str, ...]
    epochs: int
    steps: int
    tokens_per_epoch: int
    place: str
    seconds: DurationRange
    token_seconds: DurationRange


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
