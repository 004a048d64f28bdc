"""A scheduler whose clock and requests the test moves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bertline.serving import behind
from bertline.serving.behind import FEW, Behind
from bertline.serving.problems import Problem


class Taken:
    """Notes what it is given, and takes 20 ms for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.waiting = False
        self.batches: list[int] = []

    async def compute(self, line: Any, pieces: list[int], deadline_s: float) -> Any:
        self.asked += len(pieces)
        self.batches.append(len(pieces))
        await asyncio.sleep(0.02)
        return SimpleNamespace(rows=[-one for one in pieces])


def computed(scheduler: Any, pieces: list[Any], *, before: bool) -> tuple[list[Any], float]:
    """Rows and seconds; ``before``: a request came just now."""

    async def story() -> tuple[list[Any], float]:
        loop, one = asyncio.get_running_loop(), Behind(scheduler)
        scheduler.asked += before
        began_s = loop.time()
        rows = await one.compute(None, pieces, loop.time() + 5)  # type: ignore[arg-type]
        return rows, loop.time() - began_s

    return asyncio.run(story())


def test_alone_it_computes_everything_at_once() -> None:
    scheduler = Taken()
    assert computed(scheduler, [1, 2, 3, 4, 5], before=False)[0] == [-1, -2, -3, -4, -5]
    assert scheduler.batches == [5]


def test_beside_requests_it_computes_few_at_a_time_and_rests() -> None:
    scheduler = Taken()
    rows, took_s = computed(scheduler, [1, 2, 3, 4, 5], before=True)
    assert rows == [-1, -2, -3, -4, -5]
    assert scheduler.batches == [FEW] * 5
    assert took_s > 5 * 0.02 / behind.SHARE * 0.99  # no bound from above: a machine may be slow


def test_what_it_asks_itself_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "QUIET_S", 0.0)

    async def story() -> list[int]:
        scheduler: Any = Taken()
        one, until_s = Behind(scheduler), asyncio.get_running_loop().time() + 5
        for _ in range(3):
            await one.compute(None, [1, 2, 3, 4], until_s)  # type: ignore[arg-type, list-item]
        return list(scheduler.batches)

    assert asyncio.run(story()) == [4, 4, 4]


def test_it_gives_up_at_its_deadline_while_others_wait() -> None:
    async def story() -> None:
        scheduler: Any = Taken()
        scheduler.waiting = True
        await Behind(scheduler).compute(None, [1], asyncio.get_running_loop().time() + 0.01)  # type: ignore[arg-type, list-item]

    with pytest.raises(Problem, match="The models are busy with other requests: try again later"):
        asyncio.run(story())
