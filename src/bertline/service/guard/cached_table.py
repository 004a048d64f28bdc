"""A table that every request needs and a database holds: read again every few seconds, off the event loop."""

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

RETRY_S = 1.0  # between two readings, whoever asks for them
WAIT_S = 1.0  # that a request waits for a reading
KEEP_S = 3600.0  # in an outage of the database


class Refreshed(Generic[Table]):
    """Never older than ``refresh_s`` while the database answers, and an hour when it does not.

    From half that age on it is read again while requests go on with the old one; only a request that finds it older
    than ``refresh_s`` (the first after a quiet time) waits. When the database has failed, nobody waits until it has
    answered again.

    Args:
        read: reads the table; blocks, and raises ``AuthDatabaseError`` when it cannot.
        name: what it is, for people.
        refresh_s: most age of what is answered.
        clock: in seconds, never set back.
    """

    def __init__(
        self, read: Callable[[], Table], name: str, *, refresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._name, self._refresh_s, self._clock = read, name, refresh_s, clock
        self._table: Table | None = None
        self._read_at_s = self._tried_at_s = -float("inf")
        self._failing = False
        self._reading: asyncio.Task[None] | None = None  # kept, or it could be collected

    @property
    def known(self) -> Table | None:
        """The table of the last reading, however old; None before the first."""
        return self._table

    async def get(self) -> Table:
        """The table.

        Raises:
            Problem: not ready; the database has never answered, or not for an hour.
        """
        age_s = self._clock() - self._read_at_s
        if self._table is not None and age_s < self._refresh_s / 2:
            return self._table
        reading = self._start()
        if age_s >= self._refresh_s:
            await self._wait(reading)
        return self._kept()

    async def reread(self) -> Table:
        """The table, read again because something was not in it; once a second at most."""
        await self._wait(self._start())
        return self._kept()

    def _start(self) -> asyncio.Task[None] | None:
        """The reading in progress, or a new one; None if the last one was just now."""
        if self._reading is not None and not self._reading.done():
            return self._reading
        if self._clock() - self._tried_at_s < RETRY_S:
            return None
        self._tried_at_s = self._clock()
        self._reading = asyncio.create_task(self._attempt(), name=f"read {self._name}")
        return self._reading

    async def _attempt(self) -> None:
        began_s = self._clock()  # what changed later may not be in it
        try:
            table = await asyncio.to_thread(self._read)
        except AuthDatabaseError as error:
            self._fail(str(error))
        else:
            if self._failing:
                log.warning("The %s can be read again.", self._name)
            self._table, self._read_at_s, self._failing = table, began_s, False

    async def _wait(self, reading: asyncio.Task[None] | None) -> None:
        if reading is None or (self._failing and self._usable):
            return
        done, _ = await asyncio.wait({reading}, timeout=WAIT_S)
        if done:
            reading.result()
        else:
            self._fail(f"their database has not answered for {WAIT_S:g} s")

    def _fail(self, reason: str) -> None:
        if not self._failing:
            log.warning("The %s cannot be read, those known go on for an hour: %s.", self._name, reason)
        self._failing = True

    @property
    def _usable(self) -> bool:
        return self._clock() - self._read_at_s <= KEEP_S

    def _kept(self) -> Table:
        if self._table is None or not self._usable:
            raise Problem(
                Code.NOT_READY,
                f"The {self._name} cannot be read from their database: ask again in a few seconds.",
                headers={"Retry-After": "5"},
            )
        return self._table
