"""Progress of long work in plain lines, without a terminal library."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from bertline.tasks.history import EpochRecord
from bertline.training.progress import Plan, Progress, Silent, Step, epoch_line, plan_lines, step_figures

EVERY_S = 15.0  # between two lines about steps, where a line cannot be written again
AGAIN_S = 0.2


class Lines:
    """Writes facts as lines; the step that is running as one line that is written again and again on a terminal.

    Args:
        stream: standard error by default, so that standard output stays the program's.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._rewrites = self._stream.isatty()
        self._written_s = time.monotonic()
        self._open = False

    def note(self, text: str) -> None:
        """A fact, on a line of its own."""
        self._write(f"{text}\n")

    def planned(self, plan: Plan) -> None:
        """What comes now, and how long it takes."""
        for line in plan_lines(plan):
            self.note(line)
        self._written_s = time.monotonic()

    def stepped(self, step: Step) -> None:
        """Where the run is, now and then."""
        if time.monotonic() - self._written_s < (AGAIN_S if self._rewrites else EVERY_S):
            return
        self._written_s = time.monotonic()
        line = f"epoch {step.epoch} of {step.epochs}, step {step.step:,} of {step.steps:,}: {step_figures(step)}"
        self._write(line if self._rewrites else f"{line}\n")
        self._open = self._rewrites

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """The epoch's figures."""
        self.note(epoch_line(record, best))

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}" if self._open else text)
        self._stream.flush()
        self._open = False


def listener(shown: bool) -> Progress:
    """What hears of a run: lines on standard error, or nobody."""
    return Lines() if shown else Silent()
