"""A training that is shown and recorded in the registry at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertline.tasks.history import EpochRecord
from bertline.training.progress import Plan, Progress, Step

if TYPE_CHECKING:  # it needs MLflow, which a training that is not recorded does not
    from bertline.registry.tracking import TrackedRun


class TrackedProgress:
    """Shows a run on the screen and records its epochs.

    Args:
        shown: hears everything first.
        tracked: the run.
    """

    def __init__(self, shown: Progress, tracked: TrackedRun) -> None:
        self._shown, self._tracked = shown, tracked

    def planned(self, plan: Plan) -> None:
        """The data and the model are in order, so the run begins."""
        self._shown.planned(plan)
        self._tracked.begin()

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """Show and record it."""
        self._shown.epoch_ended(record, best)
        self._tracked.epoch(record)

    def note(self, text: str) -> None:
        """Show it."""
        self._shown.note(text)

    def stepped(self, step: Step) -> None:
        """Show it."""
        self._shown.stepped(step)
