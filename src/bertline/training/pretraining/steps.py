"""A pre-training run for people: passes over the texts, and figures at every measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bertline.statistics.figures import title, value
from bertline.tasks.history import EpochRecord
from bertline.training.pretraining.task import MaskedTask
from bertline.training.progress import Plan, Progress, Step, duration


@dataclass
class Steps:
    """Passes a run's events on: what the loop calls an epoch is only the way to the next measurement."""

    listener: Progress
    task: MaskedTask
    passes: float

    def note(self, text: str) -> None:
        """Pass it on."""
        self.listener.note(text)

    def planned(self, plan: Plan) -> None:
        """Pass it on."""
        self.listener.planned(plan)

    def stepped(self, step: Step) -> None:
        """Count passes over the texts."""
        passes = max(1, math.ceil(self.passes - 0.05))  # the last step is whole
        done = min(passes, 1 + int(self.passes * step.step / step.steps))
        self.listener.stepped(replace(step, epoch=done, epochs=passes))

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """The figures of a measurement."""
        step = self.task.steps * record.epoch // self.task.measurements
        worse = "" if best else "  no improvement"
        held_out = figures_text(record.validation_loss, record.figures)
        self.listener.note(
            f"Step {step:,}: train loss {record.train_loss:.3f}, {held_out}, {duration(record.seconds)}{worse}"
        )


def figures_text(loss: float, figures: Mapping[str, float]) -> str:
    """The held-out figures in a line."""
    return ", ".join(
        [f"held-out loss {loss:.3f}", *(f"{title(name)} {value(name, one)}" for name, one in figures.items())]
    )
