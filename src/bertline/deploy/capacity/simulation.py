"""A discrete-event simulation of replicas behind a balancer: the scheduler is the server's own, time is simulated.

A request costs the server's thread time before and after, a batch costs a lane its measured time, and requests that the
scheduler refuses count as never answered.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertline.data.batching import Ragged
from bertline.deploy.capacity.cores import Cores
from bertline.deploy.capacity.service_times import ServiceTimes
from bertline.deploy.capacity.virtual_time import run
from bertline.serving.problems import Problem
from bertline.serving.process import Computes
from bertline.serving.scheduler import Line, Scheduler, Station
from bertline.serving.wire import Reply, Status
from bertline.text import Piece

WARM_UP = 0.1  # share of the requests that are not counted: the queues fill first


@dataclass(frozen=True, slots=True)
class Limits:
    """The server's own limits: it refuses what would wait longer, and gives up later."""

    max_wait_s: float = math.inf
    timeout_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the simulated clients saw, after the warm-up.

    Attributes:
        latency_s: of each request, infinite where it was refused.
        seconds: that were simulated.
        busy: share of the cores' time in use.
        texts_per_batch: mean.
    """

    latency_s: np.ndarray[tuple[int], np.dtype[np.float64]]
    seconds: float
    busy: float
    texts_per_batch: float

    def quantile_ms(self, share: float) -> float:
        """The smallest latency that ``share`` of the requests do not exceed; infinite if too many were refused."""
        ordered = np.sort(self.latency_s)
        return 1000 * float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])

    @property
    def refused(self) -> float:
        """Share of the requests."""
        return float(np.isinf(self.latency_s).mean())

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return float(np.isfinite(self.latency_s).sum()) / self.seconds


class Replica(Computes):
    """One server with its cores.

    Args:
        times: of its engine.
        cores: of the replica, one lane each.
        limits: of the server.
        rng: draws how much a batch's time differs from the median.
    """

    def __init__(self, times: ServiceTimes, cores: int, limits: Limits, rng: random.Random) -> None:
        self._times, self._rng, self._limits = times, rng, limits
        self.cores = Cores(cores)
        self.in_flight = self.batches = self.texts = 0
        self._lanes = times.lanes if times.gpu else cores
        self._scheduler = Scheduler(self._lanes, limits.max_wait_s)
        self._line = Line(("simulated", "0"), "logits", Station(self), times.batch_tokens, 0)
        self._scheduler.add(self._line)
        self._computing = 0

    async def answer(self, pieces: Sequence[Piece]) -> bool:
        """Whether a request was answered."""
        self.in_flight += 1
        loop, times = asyncio.get_running_loop(), self._times
        try:
            deadline_s = loop.time() + min(self._limits.timeout_s, 1e9)
            await self.cores.serve(times.request_s / 2)
            await self._scheduler.compute(self._line, pieces, deadline_s)
            await self.cores.serve(times.request_s / 2)
        except Problem:
            return False
        finally:
            self.in_flight -= 1
        return True

    async def compute(self, output: str, batch: Ragged, *, alone: bool, behind: bool = False) -> Reply:
        """A batch, as the worker process computes it."""
        rows, tokens, times = len(batch.lengths), max(batch.lengths), self._times
        self.batches, self.texts = self.batches + 1, self.texts + rows
        await self.cores.serve(times.batch_s / 2)
        self._computing += 1
        began_s = asyncio.get_running_loop().time()
        median_s, threads = times.seconds(rows, tokens, self._busy), 1
        if alone and self._lanes > 1:
            median_s, threads = times.alone(rows, tokens)
        seconds = median_s * self._rng.choice(times.spread)
        if times.gpu:
            await asyncio.sleep(seconds)
        else:
            await self.cores.compute(seconds, min(threads, self.cores.number))
        took_s = asyncio.get_running_loop().time() - began_s
        self._computing -= 1
        await self.cores.serve(times.batch_s / 2)
        return Reply(0, Status.DONE, np.zeros((rows, 1), np.float32), seconds=took_s)

    @property
    def _busy(self) -> float:
        return (self._computing - 1) / (self._lanes - 1) if self._lanes > 1 else 0.0


def simulate(
    times: ServiceTimes,
    *,
    replicas: int,
    cores: int,
    arrivals_s: Sequence[float],
    requests: Sequence[tuple[int, ...]],
    limits: Limits | None = None,
    seed: int = 0,
) -> Outcome:
    """Requests, each sent to the replica that has the fewest under way.

    Args:
        times: of the engine.
        replicas: behind the balancer.
        cores: of each.
        arrivals_s: of the requests, ascending.
        requests: tokens of each piece of a request; each arrival draws one of these.
        limits: of the servers; None: they never refuse.
        seed: of requests and times.
    """
    return run(_run(times, replicas, cores, arrivals_s, requests, limits or Limits(), random.Random(seed)))


async def _run(
    times: ServiceTimes,
    replicas: int,
    cores: int,
    arrivals_s: Sequence[float],
    requests: Sequence[tuple[int, ...]],
    limits: Limits,
    rng: random.Random,
) -> Outcome:
    loop = asyncio.get_running_loop()
    pool = [Replica(times, cores, limits, rng) for _ in range(replicas)]
    pieces = {one: [Piece([0] * length) for length in one] for one in set(requests)}
    drawn = rng.choices(requests, k=len(arrivals_s))
    latency_s = np.full(len(arrivals_s), math.inf)
    warm = int(WARM_UP * len(arrivals_s))
    under_way: set[asyncio.Task[None]] = set()
    all_sent = loop.create_future()
    warm_busy_s = 0.0

    async def ask(number: int) -> None:
        turn = number % replicas  # among equals, in turns
        replica = min(pool[turn:] + pool[:turn], key=lambda one: one.in_flight)
        if await replica.answer(pieces[drawn[number]]):
            latency_s[number] = loop.time() - arrivals_s[number] + times.transit_s

    def send(number: int) -> None:
        nonlocal warm_busy_s
        if number == warm:
            warm_busy_s = sum(one.cores.busy_s for one in pool)
        if number == len(arrivals_s):
            all_sent.set_result(None)
            return
        task = loop.create_task(ask(number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        due_s = arrivals_s[number + 1] if number + 1 < len(arrivals_s) else loop.time()
        loop.call_at(due_s, send, number + 1)

    loop.call_at(arrivals_s[0], send, 0)
    await all_sent
    if under_way:
        await asyncio.gather(*under_way)
    seconds = loop.time() - arrivals_s[warm]
    busy_s = sum(one.cores.busy_s for one in pool) - warm_busy_s
    batches = max(1, sum(one.batches for one in pool))
    return Outcome(
        latency_s[warm:], seconds, busy_s / (seconds * replicas * cores), sum(one.texts for one in pool) / batches
    )
