"""Code written for asyncio runs in simulated time."""

from __future__ import annotations

import asyncio

import pytest

from bertline.deploy.capacity.virtual_time import run


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[tuple[float, str]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((asyncio.get_running_loop().time(), name))

    async def all_of_them() -> None:
        await asyncio.gather(sleeper("week", 604800.0), sleeper("day", 86400.0), sleeper("none", 0.0))

    run(all_of_them())
    assert woken == [(0.0, "none"), (86400.0, "day"), (604800.0, "week")]


def test_waiting_for_what_never_happens_is_an_error() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="never happens"):
        run(forever())
