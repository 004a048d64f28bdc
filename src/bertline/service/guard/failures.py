"""Wrong secrets, counted by whoever sent them, so that trying many takes long."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from bertline.serving.problems import Code, Problem

LIMIT = 10
WINDOW_S = 60.0
MOST_KNOWN = 10_000  # senders that are remembered; the one longest quiet is forgotten first


class Failures:
    """At most ``LIMIT`` in any ``WINDOW_S`` of each sender.

    Args:
        clock: in seconds, never set back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def check(self, *senders: Hashable) -> None:
        """Let nobody try again who has failed too often.

        Raises:
            Problem: rate limited, with the seconds after which the next try is looked at.
        """
        now_s = self._clock()
        waits = [self._wait_s(one, now_s) for one in senders]
        if max(waits) > 0:
            seconds = math.ceil(max(waits))
            raise Problem(
                Code.RATE_LIMITED,
                f"There were {LIMIT} wrong secrets within a minute: try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def count(self, *senders: Hashable) -> None:
        """Each of these has sent a wrong one."""
        for one in senders:
            self._times.setdefault(one, deque(maxlen=LIMIT)).append(self._clock())
            self._times.move_to_end(one)
        while len(self._times) > MOST_KNOWN:
            self._times.popitem(last=False)

    def _wait_s(self, sender: Hashable, now_s: float) -> float:
        times = self._times.get(sender)
        return times[0] + WINDOW_S - now_s if times and len(times) == LIMIT else 0.0
