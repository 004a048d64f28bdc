"""Work behind the requests of all clients: it begins while none waits, and leaves them most of the time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bertline.serving.problems import Code, Problem
from bertline.serving.scheduler import Line, Scheduler
from bertline.text.reading import Piece

AFTER_S = 0.001  # between two looks at whether requests wait
FEW = 1  # pieces at a time beside requests: what comes meanwhile waits for no more
SHARE = 0.2  # of the time beside requests
QUIET_S = 1.0  # without a request; then it computes at full speed


class Behind:
    """Computes what no request has asked for: one call at a time, in the order in which they came.

    Args:
        scheduler: of the server.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._own, self._seen, self._asked_s = scheduler, 0, 0, float("-inf")
        self._one = asyncio.Lock()

    async def compute(self, line: Line, pieces: Sequence[Piece], deadline_s: float) -> list[Any]:
        """The line's output for each piece.

        Raises:
            Problem: the deadline passed, or the model cannot compute them.
        """
        loop, rows = asyncio.get_running_loop(), list[Any]()
        async with self._one:
            while len(rows) < len(pieces):
                await self._turn(deadline_s)
                some = pieces[len(rows) :][: FEW if self._beside() else None]
                self._own += len(some)
                began_s = loop.time()
                rows += (await self._scheduler.compute(line, some, deadline_s)).rows
                if self._beside():
                    await asyncio.sleep((loop.time() - began_s) * (1 / SHARE - 1))
        return rows

    async def timed_s(self, line: Line, pieces: Sequence[Piece], deadline_s: float) -> float:
        """The time that the pieces of one text take to compute, without waiting.

        Raises:
            Problem: as ``compute``.
        """
        async with self._one:
            await self._turn(deadline_s)
            self._own += len(pieces)
            return (await self._scheduler.compute(line, pieces, deadline_s)).compute_s

    async def _turn(self, deadline_s: float) -> None:
        while self._scheduler.waiting:
            if asyncio.get_running_loop().time() > deadline_s:
                raise Problem(Code.DEADLINE, "The models are busy with other requests: try again later.")
            await asyncio.sleep(AFTER_S)

    def _beside(self) -> bool:
        """Whether requests came lately."""
        now_s, others = asyncio.get_running_loop().time(), self._scheduler.asked - self._own
        if others != self._seen:
            self._seen, self._asked_s = others, now_s
        return now_s - self._asked_s < QUIET_S
