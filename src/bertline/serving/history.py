"""What a version's requests were like lately: the baseline for its successor."""

from __future__ import annotations

from collections import deque

LATEST = 1_000  # durations kept
ENOUGH = 200  # durations from which a bound is made
MOST = 5_000  # requests, from which on older ones count half
SLOWER = 1.5  # than the 99th percentile: a slow request


class History:
    """Counts of a version's requests, and the latest durations."""

    def __init__(self) -> None:
        self.requests = self.errors = 0
        self._seconds: deque[float] = deque(maxlen=LATEST)

    def answered(self, seconds: float) -> None:
        """It answered a request."""
        self._count()
        self._seconds.append(seconds)

    def failed(self) -> None:
        """It failed at a request."""
        self._count()
        self.errors += 1

    def bound_s(self) -> float | None:
        """From when on a request is slow: longer than the 99th percentile by a half; None before it is known.

        >>> history = History()
        >>> for number in range(1, 201):
        ...     history.answered(number / 1000)
        >>> round(history.bound_s(), 3)
        0.297
        """
        if len(self._seconds) < ENOUGH:
            return None
        ordered = sorted(self._seconds)
        return SLOWER * ordered[int(0.99 * len(ordered)) - 1]

    def slower_than(self, bound_s: float) -> tuple[int, int]:
        """How many durations are known, and how many of them are longer."""
        return len(self._seconds), sum(one > bound_s for one in self._seconds)

    def _count(self) -> None:
        self.requests += 1
        if self.requests > MOST:
            self.requests, self.errors = self.requests // 2, self.errors // 2
