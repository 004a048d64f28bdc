"""Reads whose answers are shared."""

from __future__ import annotations

import asyncio

import pytest

from bertline.service import shared_reads
from bertline.service.shared_reads import SharedReads


class Source:
    """Reads take a quarter of a second; every answer is the number of the read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.reads, self.down, self.gate = 100.0, list[str](), False, asyncio.Event()
        monkeypatch.setattr(shared_reads, "monotonic", lambda: self.now_s)
        self.gate.set()

    async def read(self, key: str) -> int:
        self.reads.append(key)
        number = len(self.reads)
        await self.gate.wait()
        self.now_s += 0.25
        if self.down:
            raise OSError(f"read {number}")
        return number


def test_all_who_ask_meanwhile_wait_for_one_read_even_if_the_first_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        source = Source(monkeypatch)
        shared = SharedReads(source.read)
        source.gate.clear()
        askers = [asyncio.create_task(shared.get("a")) for _ in range(5)]
        await asyncio.sleep(0)
        source.now_s += 60
        askers += [asyncio.create_task(shared.get(key)) for key in ("a", "b")]
        await asyncio.sleep(0)
        askers[0].cancel()
        source.gate.set()
        assert await asyncio.gather(*askers[1:]) == [1, 1, 1, 1, 1, 2]

    asyncio.run(story())


@pytest.mark.parametrize(("times", "shared_s"), [(0, 2.0), (4, 2.0), (20, 5.0)])
def test_an_answer_is_shared_for_seconds_or_for_as_long_as_reading_it_is_worth(
    times: float, shared_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        source = Source(monkeypatch)
        shared, began_s = SharedReads(source.read, times=times), source.now_s
        assert await shared.get("a") == 1
        source.now_s = began_s + shared_s - 0.01
        assert await shared.get("a") == 1
        source.now_s = began_s + shared_s
        assert await shared.get("a") == 2

    asyncio.run(story())


def test_an_error_is_shared_for_two_seconds_however_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        source = Source(monkeypatch)
        shared, began_s, source.down = SharedReads(source.read, times=20), source.now_s, True
        for _ in range(2):
            with pytest.raises(OSError, match="read 1"):
                await shared.get("a")
        source.now_s, source.down = began_s + 2, False
        assert await shared.get("a") == 2

    asyncio.run(story())


def test_what_has_changed_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        source = Source(monkeypatch)
        shared = SharedReads(source.read)
        assert [await shared.get("a"), await shared.get("a")] == [1, 1]
        shared.forget("a")
        shared.forget("never read")
        assert await shared.get("a") == 2

    asyncio.run(story())
