"""A database table that every request needs: cached, and read again every few seconds off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from bertline.service.guard.store import AuthDatabaseError
from bertline.serving.problems import Code, Problem

Table = TypeVar("Table")
log = logging.getLogger(__name__)

RETRY_S = 1.0  # minimum time between two readings
WAIT_S = 1.0  # how long a request waits for a reading
KEEP_S = 3600.0  # how long the table is used during an outage of the database


class CachedTable(Generic[Table]):
    """At most ``refresh_s`` old while the database answers, and an hour when it does not.

    From half of ``refresh_s`` on, the table is read again in the background; only a request that needs it after more
    than ``refresh_s`` (the first after a quiet time) waits. During an outage no request waits.

    Args:
        read: reads the table; blocks, and raises ``AuthDatabaseError``.
        name: for log lines and messages.
        refresh_s: maximum age.
        clock: monotonic seconds.
    """

    def __init__(
        self, read: Callable[[], Table], name: str, *, refresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._name, self._refresh_s, self._clock = read, name, refresh_s, clock
        self._table: Table | None = None
        self._read_at_s = self._tried_at_s = -float("inf")
        self._failing = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def latest(self) -> Table | None:
        """The table as last read, however old; None before the first reading."""
        return self._table

    async def get(self) -> Table:
        """The table.

        Raises:
            Problem: ``NOT_READY`` if the database has never answered, or not for an hour.
        """
        age_s = self._clock() - self._read_at_s
        if self._table is not None and age_s < self._refresh_s / 2:
            return self._table
        reading = self._start()
        if age_s >= self._refresh_s:
            await self._wait(reading)
        return self._checked()

    async def reread(self) -> Table:
        """The table, read again for a missing row; once a second at most."""
        await self._wait(self._start())
        return self._checked()

    def _start(self) -> asyncio.Task[None] | None:
        """The reading in progress, or a new one; None within ``RETRY_S`` of the last one."""
        if self._reading is not None and not self._reading.done():
            return self._reading
        if self._clock() - self._tried_at_s < RETRY_S:
            return None
        self._tried_at_s = self._clock()
        self._reading = asyncio.create_task(self._attempt(), name=f"read {self._name}")
        return self._reading

    async def _attempt(self) -> None:
        began_s = self._clock()  # later changes may be missing
        try:
            table = await asyncio.to_thread(self._read)
        except AuthDatabaseError as error:
            self._fail(str(error))
        else:
            if self._failing:
                log.warning("The %s can be read again.", self._name)
            self._table, self._read_at_s, self._failing = table, began_s, False

    async def _wait(self, reading: asyncio.Task[None] | None) -> None:
        if reading is None or (self._failing and self._is_usable):
            return
        done, _ = await asyncio.wait({reading}, timeout=WAIT_S)
        if done:
            reading.result()
        else:
            self._fail(f"their database has not answered for {WAIT_S:g} s")

    def _fail(self, reason: str) -> None:
        if not self._failing:
            log.warning("The %s cannot be read, cached ones are used for an hour: %s.", self._name, reason)
        self._failing = True

    @property
    def _is_usable(self) -> bool:
        return self._clock() - self._read_at_s <= KEEP_S

    def _checked(self) -> Table:
        if self._table is None or not self._is_usable:
            message = f"The {self._name} cannot be read from their database: try again in a few seconds."
            raise Problem(Code.NOT_READY, message, headers={"Retry-After": "5"})
        return self._table
