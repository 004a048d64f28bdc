"""Reads whose answers are shared: one caller has it read, and whoever asks in the next seconds gets the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Generic, TypeVar

SHARED_S = 2.0  # from the beginning of a read; pages ask every 5 s

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


@dataclass(slots=True)
class _Reading(Generic[Result]):
    task: asyncio.Task[Result] | None = None
    until_s: float = inf  # while it is being read


class SharedReads(Generic[Key, Result]):
    """What many pages ask for at once is read once in ``SHARED_S``, and by one caller at a time.

    Args:
        read: the answer to a key. Its errors are shared for ``SHARED_S`` too.
        times: an answer is shared for at least so many times as long as it took to read, so that slow reads do not
            follow one another.
    """

    def __init__(self, read: Callable[[Key], Awaitable[Result]], *, times: float = 0) -> None:
        self._read, self._times = read, times
        self._readings: dict[Key, _Reading[Result]] = {}

    async def get(self, key: Key) -> Result:
        """The answer to a key, as it was some seconds ago at most."""
        reading = self._readings.get(key)
        if reading is None or reading.task is None or monotonic() >= reading.until_s:
            reading = self._readings[key] = _Reading()
            reading.task = asyncio.create_task(self._timed(key, reading), name="shared read")
            reading.task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have left
        return await asyncio.shield(reading.task)

    def forget(self, key: Key | None = None) -> None:
        """Have a key, or all of them, read anew by the next caller, because it has changed."""
        if key is None:
            self._readings.clear()
        else:
            self._readings.pop(key, None)

    async def _timed(self, key: Key, reading: _Reading[Result]) -> Result:
        began_s, shared_s = monotonic(), SHARED_S
        try:
            result = await self._read(key)
            shared_s = max(shared_s, self._times * (monotonic() - began_s))
            return result
        finally:
            reading.until_s = began_s + shared_s
