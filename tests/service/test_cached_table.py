"""A table that is read again every few seconds: how old it may be, who waits, and what an outage does."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from bertline.service.guard import cached_table as module
from bertline.service.guard.cached_table import CachedTable
from bertline.service.guard.store import AuthDatabaseError
from bertline.serving.problems import Code, Problem
from bertline.testing.clock import Clock


class Source:
    """Counts how often it is read; ``fails`` while it cannot be, and only when ``gate`` is open."""

    def __init__(self) -> None:
        self.readings, self.fails = 0, False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> int:
        assert self.gate.wait(30)
        self.readings += 1
        if self.fails:
            raise AuthDatabaseError("it is away")
        return self.readings


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(source: Source, clock: Clock) -> CachedTable[int]:
    return CachedTable(source, "numbers", refresh_s=5, clock=clock)


async def settled(condition: Callable[[], bool]) -> None:
    """Wait for what goes on in the background."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


def test_concurrent_requests_share_one_reading(table: CachedTable[int], source: Source) -> None:
    async def story() -> None:
        assert table.latest is None
        assert await asyncio.gather(*(table.get() for _ in range(50))) == [1] * 50
        assert table.latest == source.readings == 1

    asyncio.run(story())


def test_young_it_is_not_read_older_it_is_read_behind_the_back_and_old_it_is_waited_for(
    table: CachedTable[int], source: Source, clock: Clock
) -> None:
    async def story() -> None:
        await table.get()
        clock.now_s += 2.4
        assert await table.get() == source.readings == 1
        clock.now_s += 0.1
        assert await table.get() == 1
        await settled(lambda: table.latest == 2)
        clock.now_s += 5
        assert await table.get() == 3

    asyncio.run(story())


def test_a_missing_row_triggers_a_reading_at_most_once_a_second(
    table: CachedTable[int], source: Source, clock: Clock
) -> None:
    async def story() -> None:
        await table.get()
        clock.now_s += 1
        assert await asyncio.gather(*(table.reread() for _ in range(20))) == [2] * 20
        clock.now_s += 0.9
        assert await table.reread() == source.readings == 2
        clock.now_s += 0.1
        assert await table.reread() == 3

    asyncio.run(story())


def test_in_an_outage_the_table_is_used_for_an_hour_with_one_warning(
    table: CachedTable[int], source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        await table.get()
        source.fails = True
        began_s = clock.now_s
        while clock.now_s <= began_s + 3595:
            clock.now_s += 5
            seen = source.readings
            assert await table.get() == 1
            reading = table._reading  # the next one begins only when this one has ended
            assert reading is not None
            await reading
            assert source.readings == seen + 1
        assert [one.getMessage() for one in caplog.records] == [
            "The numbers cannot be read, cached ones are used for an hour: it is away."
        ]
        clock.now_s += 5
        with pytest.raises(Problem, match="The numbers cannot be read from their database") as caught:
            await table.get()
        assert caught.value.code is Code.NOT_READY
        assert caught.value.headers == {"Retry-After": "5"}

    caplog.set_level(logging.WARNING)
    asyncio.run(story())


def test_after_an_outage_it_is_as_before(
    table: CachedTable[int], source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        await table.get()
        source.fails = True
        clock.now_s += 5
        assert await table.get() == 1
        source.fails = False
        clock.now_s += 1
        assert await table.get() == 1  # nobody waits for a database that failed
        await settled(lambda: table.latest == 3)
        clock.now_s += 5
        assert await table.get() == 4

    caplog.set_level(logging.WARNING)
    asyncio.run(story())
    assert caplog.records[-1].getMessage() == "The numbers can be read again."


def test_a_database_that_never_answered_is_queried_once_a_second(
    table: CachedTable[int], source: Source, clock: Clock
) -> None:
    async def story() -> None:
        source.fails = True
        for _ in range(5):
            with pytest.raises(Problem):
                await table.get()
        assert source.readings == 1
        source.fails = False
        clock.now_s += 1
        assert await table.get() == 2

    asyncio.run(story())


def test_a_hanging_database_delays_requests_by_a_second_at_most(
    table: CachedTable[int], source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)

    async def story() -> None:
        await table.get()
        source.gate.clear()
        clock.now_s += 5
        assert await table.get() == 1
        clock.now_s += 5
        assert await asyncio.gather(*(table.get() for _ in range(20)), table.reread()) == [1] * 21
        source.gate.set()
        await settled(lambda: table.latest == 2)

    asyncio.run(story())


def test_a_cancelled_request_does_not_cancel_the_shared_reading(table: CachedTable[int], source: Source) -> None:
    async def story() -> None:
        source.gate.clear()
        impatient, patient = asyncio.create_task(table.get()), asyncio.create_task(table.get())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        source.gate.set()
        assert await patient == 1
        with pytest.raises(asyncio.CancelledError):
            await impatient

    asyncio.run(story())


def test_an_unexpected_error_is_raised(clock: Clock) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(CachedTable(broken, "numbers", refresh_s=5, clock=clock).get())
