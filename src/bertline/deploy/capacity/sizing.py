"""How many replicas meet a latency at a load: tried in the simulation, from what the utilisation law says on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bertline.deploy.capacity.arrivals import Pattern, arrivals
from bertline.deploy.capacity.service_times import ServiceTimes
from bertline.deploy.capacity.simulation import Limits, Outcome, simulate

POOL = 8  # larger pools are simulated as this many replicas with their part of the load, which waits a little longer
LEAST_LOAD = 0.02  # of what a replica can do: where less is too much, no number of replicas helps
MOST_BUSY = 0.9  # of the time of the cores: above, texts that take 6 % longer raise p99 by 20 % and more (docs/log.md)
STEP = 1.06  # by which more replicas are tried, where there are many
SEED = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the replicas.

    Attributes:
        requests: tokens of each piece of a request, to draw from.
        p99_ms: that must be met.
        pattern: of arrivals.
        limits: of the server.
        number: of requests in a simulation.
    """

    requests: Sequence[tuple[int, ...]]
    p99_ms: float
    pattern: Pattern = "poisson"
    limits: Limits = field(default_factory=Limits)
    number: int = 6_000


class Sizer:
    """Replicas of one engine and size; what was simulated is remembered.

    Args:
        times: of the engine.
        cores: of a replica.
        load: what is asked of it.
    """

    def __init__(self, times: ServiceTimes, cores: int, load: Load) -> None:
        self.times, self.cores, self.load = times, cores, load
        self._outcomes: dict[tuple[int, float, Pattern], Outcome] = {}

    def outcome(self, replicas: int, rate: float, pattern: Pattern | None = None) -> Outcome:
        """What clients see at a rate, in requests per second."""
        pool = min(replicas, POOL)
        key = pool, rate * pool / replicas, pattern or self.load.pattern
        if key not in self._outcomes:
            self._outcomes[key] = simulate(
                self.times,
                replicas=pool,
                cores=self.cores,
                arrivals_s=arrivals(key[1], self.load.number, key[2], SEED),
                requests=self.load.requests,
                limits=self.load.limits,
                seed=SEED,
            )
        return self._outcomes[key]

    def meets(self, replicas: int, rate: float) -> bool:
        """Whether so many replicas keep the latency at a rate, and are not busier than can be predicted."""
        seen = self.outcome(replicas, rate)
        return seen.quantile_ms(0.99) <= self.load.p99_ms and seen.busy <= MOST_BUSY

    def replicas(self, rate: float) -> int | None:
        """The fewest replicas that keep the latency at a rate; None if no number does."""
        if self.least_ms > self.load.p99_ms:
            return None
        number = max(1, math.ceil(rate / (0.9 * self.capacity)))
        if self.meets(number, rate):
            while number > 1 and rate / (number - 1) < self.capacity and self.meets(number - 1, rate):
                number -= 1
            return number
        while rate / number > LEAST_LOAD * self.capacity:
            number = max(number + 1, math.floor(number * STEP))
            if self.meets(number, rate):
                return number
        return None

    @cached_property
    def capacity(self) -> float:
        """Requests per second at which a replica is busy all the time (utilisation law: rate × core-seconds)."""
        times = self.times
        most = {length: max(1, times.batch_tokens // length) for one in set(self.load.requests) for length in one}
        each = {
            length: (times.seconds(rows, length, 1.0 if self.cores > 1 else 0.0) / rows, times.batch_s / rows)
            for length, rows in most.items()
        }
        number = len(self.load.requests)
        compute_s = sum(each[length][0] for one in self.load.requests for length in one) / number
        server_s = times.request_s + sum(each[length][1] for one in self.load.requests for length in one) / number
        if times.gpu:
            return min(times.lanes / compute_s, 1 / max(server_s, 1e-9))
        return min(self.cores / (compute_s + server_s), 1 / max(server_s, 1e-9))

    @cached_property
    def least_ms(self) -> float:
        """Milliseconds of the 99 % quantile of requests that meet no other one."""
        times = self.times
        alone = sorted(self._alone_s(one) for one in self.load.requests)
        return 1000 * (times.transit_s + times.request_s + alone[math.ceil(0.99 * len(alone)) - 1])

    def _alone_s(self, request: tuple[int, ...]) -> float:
        """Of a request on an idle replica, whose pieces are computed on as many cores as there are."""
        times = self.times
        if len(request) == 1 and self.cores > 1:
            return times.batch_s + times.alone(1, request[0])[0]
        each = [times.batch_s + times.seconds(1, length, 0.0) for length in request]
        return max(max(each), sum(each) / self.cores)
