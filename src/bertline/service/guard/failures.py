"""Wrong secrets, counted per sender: a limit against guessing."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from bertline.serving.problems import Code, Problem

LIMIT = 10
WINDOW_S = 60.0
MOST_SENDERS = 10_000  # that are tracked; the least recent one is dropped first


class Failures:
    """At most ``LIMIT`` failures of each sender in any ``WINDOW_S``; ``clock`` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def check(self, *senders: Hashable) -> None:
        """Reject a sender with too many failures.

        Raises:
            Problem: ``RATE_LIMITED``, with the seconds until the next attempt.
        """
        now_s = self._clock()
        waits = [self._wait_s(one, now_s) for one in senders]
        if max(waits) > 0:
            seconds = math.ceil(max(waits))
            raise Problem(
                Code.RATE_LIMITED,
                f"{LIMIT} wrong secrets were sent within a minute: try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def count(self, *senders: Hashable) -> None:
        """Count one failure of each sender."""
        for one in senders:
            self._times.setdefault(one, deque(maxlen=LIMIT)).append(self._clock())
            self._times.move_to_end(one)
        while len(self._times) > MOST_SENDERS:
            self._times.popitem(last=False)

    def _wait_s(self, sender: Hashable, now_s: float) -> float:
        times = self._times.get(sender)
        return times[0] + WINDOW_S - now_s if times and len(times) == LIMIT else 0.0
