"""How long work takes on a machine that others use too: timed until it is stable, said with a range, corrected later.

A disturbed moment looks like a slow machine: one timing of a few batches once promised 2 h 46 min for 36. So timing
goes on until several rounds agree, and where they never do, all of them are told. While the work runs, its
pace is that of the last minute, so a beginning that was disturbed does not count for hours.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

AGREEMENT = 1.15  # slowest ÷ fastest of rounds that agree
ROUNDS, MOST_ROUNDS = 3, 12  # that have to agree; that are tried
BUDGET_S = 10.0  # for trying, once there are two rounds
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class DurationRange:
    """Seconds that work takes, from its fastest to its slowest timing."""

    low: float
    high: float

    @property
    def stable(self) -> bool:
        """Whether the timings agree, so that one figure says it."""
        return self.high <= AGREEMENT * self.low

    @property
    def middle(self) -> float:
        """The one figure: between the two in ratio."""
        return math.sqrt(self.low * self.high)

    def times(self, factor: int | float) -> DurationRange:
        """So much more work."""
        return DurationRange(self.low * factor, self.high * factor)


def until_stable(
    measure_s: Callable[[], float], *, rounds: int = ROUNDS, clock: Callable[[], float] = time.monotonic
) -> DurationRange:
    """Time a piece of work again and again until the last ``rounds`` timings agree.

    Args:
        measure_s: does the work once and returns its seconds.
        rounds: that have to agree.
        clock: of the budget.

    Returns:
        The span of those that agree; of all where ``MOST_ROUNDS`` or ``BUDGET_S`` end before.
    """
    began, found = clock(), [measure_s()]
    while len(found) < MOST_ROUNDS:
        last = DurationRange(min(found[-rounds:]), max(found[-rounds:]))
        if len(found) >= rounds and last.stable:
            return last
        if len(found) > 1 and clock() - began >= BUDGET_S:  # one timing tells nothing of how far it can be trusted
            break
        found.append(measure_s())
    return DurationRange(min(found), max(found))


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
        """So much was done in so many seconds."""
        self._done.append((amount, seconds))
        self._amount, self._seconds = self._amount + amount, self._seconds + seconds
        while len(self._done) > 1 and self._seconds > WINDOW_S:
            old_amount, old_seconds = self._done.popleft()
            self._amount, self._seconds = self._amount - old_amount, self._seconds - old_seconds

    @property
    def per_s(self) -> float:
        """0 before anything was done."""
        return self._amount / max(self._seconds, 1e-9)

    def seconds_for(self, amount: int | float) -> float:
        """Of so much more; 0 before anything was done, when nothing can be said."""
        return amount / self.per_s if self._amount > 0 else 0.0
