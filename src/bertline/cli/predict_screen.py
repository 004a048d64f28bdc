"""What a person sees while texts are labelled, and what is said at the end; on standard error."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bertline.data.rows import rows_left_out
from bertline.machine.timing import Pace

if TYPE_CHECKING:
    from bertline.data.rows import BadRows

UPDATE_ROWS = 16


class PredictScreen:
    """A bar with the pace and the time left, if standard error is a terminal; else nothing.

    Args:
        shown: False for no bar, terminal or not.
    """

    def __init__(self, *, shown: bool = True) -> None:
        console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self._task: TaskID | None = None
        self._total: int | None = None
        self._done = self._shown = 0
        self._began = self._looked = 0.0
        self._recent = Pace()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, rows: int | None = None) -> None:
        """A new piece of work, of so many rows if that is known."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=rows, figures="")
        self._total, self._done, self._shown, self._began = rows, 0, 0, time.monotonic()
        self._recent, self._looked = Pace(), self._began

    def advance(self, rows: int = 1) -> None:
        """One row is done, or more."""
        self._done += rows
        if self._done - self._shown >= UPDATE_ROWS and self._task is not None:
            now = time.monotonic()
            self._recent.did(self._done - self._shown, now - self._looked)
            self._looked, self._shown = now, self._done
            self._bar.update(self._task, completed=self._done, figures=self._figures())

    def summary(self) -> str:
        """Rows done and their pace since the work began."""
        return f"{self._done:,} {'row' if self._done == 1 else 'rows'}, {self._pace():,.0f} rows/s"

    def _figures(self) -> str:
        if self._total is None:
            return self.summary()
        left = timedelta(seconds=round(self._recent.seconds_for(self._total - self._done)))
        return f"{self._done:,} of {self._total:,} rows, {self._recent.per_s:,.0f} rows/s, {left} left"

    def _pace(self) -> float:
        return self._done / max(time.monotonic() - self._began, 1e-9)


def note(sentence: str | None) -> None:
    """A fact on a line of its own on standard error; nothing for None."""
    if sentence:
        print(sentence, file=sys.stderr)


def skipped_sentence(bad: BadRows) -> str | None:
    """How many rows were left out and why, or None if none was."""
    sentence = rows_left_out(bad.counts)
    return None if sentence is None else f"note: {sentence}"
