"""Estimate how long work takes on a shared machine: time it until stable, give a range, and correct it later.

A brief disturbance looks like a slow machine: a single timing of a few batches once predicted 2 h 46 min for work of
36 min. So timing continues until several rounds agree; if they never do, the estimate is the range of all of them.
While the work runs, only the pace of the last minute counts, so a disturbed start does not matter for hours.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

AGREEMENT = 1.15  # slowest ÷ fastest of rounds that count as agreeing
ROUNDS, MOST_ROUNDS = 3, 12  # that must agree; maximum
BUDGET_S = 10.0  # for timing, once there are two rounds
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class DurationRange:
    """Duration in seconds, from the fastest to the slowest timing."""

    low: float
    high: float

    @property
    def stable(self) -> bool:
        """Whether the timings agree, so that one figure is enough."""
        return self.high <= AGREEMENT * self.low

    @property
    def middle(self) -> float:
        """The geometric mean of both ends."""
        return math.sqrt(self.low * self.high)

    def times(self, factor: int | float) -> DurationRange:
        """The duration of ``factor`` times as much work."""
        return DurationRange(self.low * factor, self.high * factor)


def until_stable(
    measure_s: Callable[[], float], *, rounds: int = ROUNDS, clock: Callable[[], float] = time.monotonic
) -> DurationRange:
    """Repeat and time a piece of work until the last ``rounds`` timings agree.

    Args:
        measure_s: does the work once and returns its seconds.
        rounds: number of timings that must agree.
        clock: measures the budget, in seconds.

    Returns:
        The range of the timings that agree, or of all if ``MOST_ROUNDS`` or ``BUDGET_S`` is reached first.
    """
    began, timings = clock(), [measure_s()]
    while len(timings) < MOST_ROUNDS:
        last = DurationRange(min(timings[-rounds:]), max(timings[-rounds:]))
        if len(timings) >= rounds and last.stable:
            return last
        if len(timings) > 1 and clock() - began >= BUDGET_S:  # a single timing has no range
            break
        timings.append(measure_s())
    return DurationRange(min(timings), max(timings))


class Pace:
    """Amount of work per second, over the last ``WINDOW_S`` seconds of work.

    >>> pace = Pace()
    >>> pace.did(10, 100.0)
    >>> pace.did(500, 50.0)
    >>> pace.per_s
    10.0
    """

    def __init__(self) -> None:
        self._done: deque[tuple[float, float]] = deque()
        self._amount = self._seconds = 0.0

    def did(self, amount: int | float, seconds: float) -> None:
        """Record that ``amount`` of work took ``seconds``."""
        self._done.append((amount, seconds))
        self._amount, self._seconds = self._amount + amount, self._seconds + seconds
        while len(self._done) > 1 and self._seconds > WINDOW_S:
            old_amount, old_seconds = self._done.popleft()
            self._amount, self._seconds = self._amount - old_amount, self._seconds - old_seconds

    @property
    def per_s(self) -> float:
        """Amount per second; 0 before the first record."""
        return self._amount / max(self._seconds, 1e-9)

    def seconds_for(self, amount: int | float) -> float:
        """Seconds for ``amount`` more work; 0 before the first record."""
        return amount / self.per_s if self._amount > 0 else 0.0
