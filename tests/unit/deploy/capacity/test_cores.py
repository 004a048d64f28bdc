"""Batches share the cores that the server's thread leaves."""

from __future__ import annotations

import asyncio

import pytest

from bertline.deploy.capacity.cores import Cores
from bertline.deploy.capacity.virtual_time import run


def ends(number: int, batches: list[tuple[float, int]], served: list[tuple[float, float]]) -> tuple[list[float], float]:
    """When each batch (seconds, threads) ends if all start at 0, with (start, seconds) of the server; busy seconds."""

    async def work() -> tuple[list[float], float]:
        cores, loop = Cores(number), asyncio.get_running_loop()

        async def batch(seconds: float, threads: int) -> float:
            await cores.compute(seconds, threads)
            return loop.time()

        async def serve(start_s: float, seconds: float) -> None:
            await asyncio.sleep(start_s)
            await cores.serve(seconds)

        all_served = [asyncio.create_task(serve(*one)) for one in served]
        times = list(await asyncio.gather(*(batch(*one) for one in batches)))
        await asyncio.gather(*all_served)
        return times, cores.busy_s

    return run(work())


@pytest.mark.parametrize(
    ("number", "batches", "served", "expected", "busy_s"),
    [
        (2, [(3.0, 1), (5.0, 1)], [], [3.0, 5.0], 8.0),
        (1, [(3.0, 1), (5.0, 1)], [], [6.0, 8.0], 8.0),  # half a core each until the shorter one ends
        (2, [(3.0, 2), (3.0, 2)], [], [6.0, 6.0], 12.0),
        (1, [(3.0, 1)], [(1.0, 2.0)], [5.0], 5.0),  # stopped for 2 s
        (2, [(3.0, 1)], [(1.0, 2.0)], [3.0], 5.0),  # a core was free
        (1, [(3.0, 1)], [(1.0, 1.0), (1.0, 1.0)], [5.0], 5.0),  # the server does one thing at a time
    ],
)
def test_ends(
    number: int, batches: list[tuple[float, int]], served: list[tuple[float, float]], expected: list[float],
    busy_s: float,
) -> None:  # fmt: skip
    times, busy = ends(number, batches, served)
    assert times == pytest.approx(expected)
    assert busy == pytest.approx(busy_s)
