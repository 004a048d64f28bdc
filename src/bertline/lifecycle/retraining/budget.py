"""Training that may take so long: the plan is refused if it takes longer, and the run ends when it did."""

from __future__ import annotations

import time
from collections.abc import Callable

from bertline.errors import TrainingError
from bertline.tasks.history import EpochRecord
from bertline.training.progress import Plan, Progress, Step, duration

RECORD_S = 15.0  # between two records of the time that was spent


class OverBudget(TrainingError):
    """Training takes longer than it may."""


class Budgeted:
    """Passes everything on, and ends a run over its budget.

    Args:
        heard: hears everything first.
        budget_s: of all attempts together.
        spent_s: by earlier attempts.
        spend: is told the seconds of all attempts, now and then.
        clock: seconds.
    """

    def __init__(
        self,
        heard: Progress,
        budget_s: float,
        spent_s: float,
        spend: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heard, self._budget_s, self._before_s, self._spend = heard, budget_s, spent_s, spend
        self._clock, self._began_s, self._told_s = clock, clock(), 0.0

    @property
    def spent_s(self) -> float:
        """By all attempts."""
        return self._before_s + self._clock() - self._began_s

    def note(self, text: str) -> None:
        """Pass it on."""
        self._heard.note(text)

    def planned(self, plan: Plan) -> None:
        """Pass it on, unless it takes too long; a resumed run is planned as a whole, so it is not refused.

        Raises:
            OverBudget: it would.
        """
        if not self._before_s and plan.seconds.middle > self._budget_s:
            raise OverBudget(
                f"training would take about {duration(plan.seconds.middle)}, and the budget is "
                f"{duration(self._budget_s)}: give a larger --budget-min, fewer rows or a faster machine"
            )
        self._heard.planned(plan)

    def stepped(self, step: Step) -> None:
        """Pass it on, and look at the clock.

        Raises:
            OverBudget: the time is up.
        """
        self._heard.stepped(step)
        spent_s = self.spent_s
        if spent_s - self._told_s >= RECORD_S:
            self._told_s = spent_s
            self._spend(spent_s)
        if spent_s > self._budget_s:
            raise OverBudget(
                f"training took {duration(spent_s)}, and the budget is {duration(self._budget_s)}: give a larger "
                f"--budget-min; it was at step {step.step:,} of {step.steps:,}"
            )

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """Pass it on."""
        self._heard.epoch_ended(record, best)
