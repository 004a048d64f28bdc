"""Rows, rate, time left and cost of a job: a bar on a terminal, else a line now and then; on standard error."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

LINE_S = 30.0  # between two lines where there is no terminal
LOOK_S = 0.2


class ShardsScreen:
    """What is known of a job's progress.

    Args:
        core_hour: the price of a core for an hour, and its currency.
    """

    def __init__(self, core_hour: tuple[float, str] | None = None) -> None:
        console = Console(stderr=True, highlight=False)
        self.cores = 1
        self._core_hour, self._terminal = core_hour, console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._total: int | None = None
        self._what, self._done = "", 0
        self._began = self._looked = 0.0

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
        self._what, self._total, self._done = what, rows, 0
        self._began = self._looked = time.monotonic()

    def advance(self, rows: int = 1) -> None:
        """So many more rows are done."""
        self._done += rows
        now = time.monotonic()
        if now - self._looked < (LOOK_S if self._terminal else LINE_S):
            return
        self._looked = now
        if self._terminal and self._task is not None:
            self._bar.update(self._task, completed=self._done, figures=self.figures())
        else:
            print(f"{self._what}: {self.figures()}", file=sys.stderr, flush=True)

    def figures(self) -> str:
        """Rows, their rate, the time left, and the cost so far and in all."""
        if self._total is None or not self._done:
            return self.summary()
        left_s = (self._total - self._done) / self._rate
        parts = [f"{self._done:,} of {self._total:,} rows", f"{self._rate:,.0f} rows/s"]
        parts += [f"{timedelta(seconds=round(left_s))} left"]
        if self._core_hour is not None:
            so_far, total = self._cost(self._seconds), self._cost(self._seconds + left_s)
            parts.append(f"cost {so_far:.2f} of about {total:.2f} {self._core_hour[1]}".rstrip())
        return ", ".join(parts)

    def summary(self) -> str:
        """Rows, their rate and their cost since the work began."""
        cost = "" if self._core_hour is None else f", cost {self._cost(self._seconds):.2f} {self._core_hour[1]}"
        return f"{self._done:,} rows, {self._rate:,.0f} rows/s{cost}".rstrip()

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._began, 1e-9)

    @property
    def _rate(self) -> float:
        return self._done / self._seconds

    def _cost(self, seconds: float) -> float:
        price = 0.0 if self._core_hour is None else self._core_hour[0]
        return price * self.cores * seconds / 3600
