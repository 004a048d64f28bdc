"""Calls of the store of predictions: one after another, off the event loop, behind a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.serving.problems import Code, Problem

MOST_WAITING = 32  # calls
RETRY = {"Retry-After": "5"}

Result = TypeVar("Result")


class StoreThread:
    """One thread with its queue. The store's own lock would let calls wait for each other anyway.

    Args:
        name: of the thread.
        busy: message when too many calls wait.
        away: message when the store cannot be used.
    """

    def __init__(self, name: str, *, busy: str, away: str) -> None:
        self._busy, self._away, self._waiting = busy, away, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[[], Result]) -> Result:
        """The result of a call.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        if self._waiting >= MOST_WAITING:
            raise Problem(Code.OVERLOADED, self._busy, headers=RETRY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except PredictionStoreError:
            raise Problem(Code.NOT_READY, self._away, headers=RETRY) from None
        finally:
            self._waiting -= 1
