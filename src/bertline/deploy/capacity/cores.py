"""The cores of a replica: the server's own thread goes first, the batches share what it leaves.

A thread that sleeps most of the time is woken before threads that compute all the time (Linux's fair scheduler does so
while it has used less than its share), so the server's work is not slowed by batches, and batches are slowed by it.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from itertools import count


class Cores:
    """So many cores, in the time of the running loop.

    Args:
        number: of cores.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.busy_s = 0.0  # core-seconds in use so far
        self._loop = asyncio.get_running_loop()
        self._front = asyncio.Lock()
        self._held = 0
        self._threads = 0
        self._clock = 0.0  # seconds of work that each running thread has been given
        self._looked_s = self._loop.time()
        self._ends: list[tuple[float, int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self, seconds: float) -> None:
        """Work of the server's thread, which does one thing at a time, in order."""
        if seconds <= 0:
            return
        async with self._front:
            self._look()
            self._held = 1
            self._plan()
            await asyncio.sleep(seconds)
            self._look()
            self._held = 0
            self._plan()

    async def compute(self, seconds: float, threads: int = 1) -> None:
        """Work of a batch: so many seconds on each of ``threads`` cores that it has for itself."""
        self._look()
        end = self._loop.create_future()
        heapq.heappush(self._ends, (self._clock + seconds, next(self._numbers), threads, end))
        self._threads += threads
        self._plan()
        await end

    @property
    def _rate(self) -> float:
        """Seconds of work per second, of each thread of a batch."""
        return min(1.0, (self.number - self._held) / self._threads) if self._threads else 0.0

    def _look(self) -> None:
        now_s = self._loop.time()
        passed_s = now_s - self._looked_s
        self._looked_s = now_s
        self._clock += passed_s * self._rate
        self.busy_s += passed_s * (self._held + self._rate * self._threads)

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ends and self._rate > 0:
            self._timer = self._loop.call_later(max(0.0, (self._ends[0][0] - self._clock) / self._rate), self._end)

    def _end(self) -> None:
        self._timer = None
        self._look()
        reached = self._clock + 1e-9 + math.ulp(self._clock)
        while self._ends and self._ends[0][0] <= reached:
            _, _, threads, end = heapq.heappop(self._ends)
            self._threads -= threads
            if not end.done():
                end.set_result(None)
        self._plan()
