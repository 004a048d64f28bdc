"""Shards computed here, one after the other, or by the workers of a cluster."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from bertline.distributed.job import Opened
from bertline.distributed.labeller import Labeller, Watch
from bertline.errors import ClusterError
from bertline.inference.label_tally import LabelTally
from bertline.machine.ray_cluster import WorkerLost

ATTEMPTS = 4  # at a shard whose workers die
POLL_S = 1.0
START_PATIENCE_S = 300.0  # for the first worker: its machine may have to be started, and its bundle be read
BACKUP_FACTOR, BACKUP_LEAST_S = 3.0, 30.0  # when a shard is computed a second time, by a worker that is idle


def run_here(opened: Opened, numbers: Sequence[int], watch: Watch) -> LabelTally:
    """Compute shards in this process; those that others have finished meanwhile are left out.

    Args:
        opened: the job.
        numbers: of the shards, counted from 1.
        watch: is called with the number of rows that were answered since the last call.

    Raises:
        DataError: as ``Labeller.shard``.
    """
    tally = LabelTally()
    if not numbers:
        return tally
    labeller = Labeller(opened.work, opened.plan)
    for number in numbers:
        if opened.place.has(opened.plan.name(number)):
            watch(opened.plan.shards[number - 1].rows)
        else:
            tally.merge(labeller.shard(number, watch))
    return tally


class Workers(Protocol):
    """As ``machine.ray_cluster.Cluster``."""

    def start(self, factory: Callable[..., object], *arguments: object, cores: float) -> Any:
        """A worker that holds what the factory makes."""

    def first(self, calls: Sequence[Any], timeout_s: float) -> list[Any]:
        """Calls that have ended."""


@dataclass
class Crew:
    """The workers of a job and what each of them does.

    A worker gets a shard when it is ready, so one that waits for its place holds nothing up. A shard whose worker dies
    goes to another, and a new worker is started. When no shard is left to begin, idle workers begin the slowest one a
    second time: a machine that hangs delays nobody. Twice the same file is no harm, because it has the same bytes and
    replaces itself whole.

    Args:
        cluster: has the machines.
        opened: the job.
        cores: of a worker.
        watch: is called with the rows of each shard that is done.
        now: a clock, in seconds.
    """

    cluster: Workers
    opened: Opened
    cores: float
    watch: Watch
    now: Callable[[], float] = time.monotonic
    tally: LabelTally = field(default_factory=LabelTally)
    seconds: list[float] = field(default_factory=list)  # of each shard, for the time left and for what is slow
    lost: int = 0  # workers
    _starting: dict[Any, Any] = field(default_factory=dict)  # call → worker
    _running: dict[Any, tuple[int, float]] = field(default_factory=dict)  # call → shard and its beginning
    _attempts: Counter[int] = field(default_factory=Counter)
    _left: set[int] = field(default_factory=set)

    def run(self, numbers: Sequence[int], workers: int) -> LabelTally:
        """Compute shards with so many workers.

        Raises:
            ClusterError: no worker can be placed, or a shard's workers die again and again.
            BertlineError: a worker raised it.
        """
        self._left, queue = set(numbers), deque(numbers)
        idle: list[Any] = []
        began = self.now()
        for _ in range(min(workers, len(queue))):
            self._start()
        try:
            while self._left:
                idle = self._busy(queue, idle)
                done = self.cluster.first([*self._starting, *self._running], POLL_S)
                for call in done:
                    idle += self._ended(call, queue)
                if not (self.seconds or idle or self._running) and self.now() - began > START_PATIENCE_S:
                    raise ClusterError(
                        f"no worker with {self.cores:g} cores was ready after {START_PATIENCE_S:.0f} s: check that the "
                        "cluster has free cores (ray status), or ask for fewer with --worker-cores"
                    )
        finally:
            for call in [*self._starting, *self._running]:
                call.worker.stop()
            for worker in idle:
                worker.stop()
        return self.tally

    def _start(self) -> None:
        worker = self.cluster.start(Labeller, self.opened.work, self.opened.plan, cores=self.cores)
        self._starting[worker.call("ready")] = worker

    def _busy(self, queue: deque[int], idle: list[Any]) -> list[Any]:
        """Give every idle worker a shard; returns those for whom there is none."""
        still = []
        for worker in idle:
            number = queue.popleft() if queue else self._slowest()
            if number is None:
                still.append(worker)
            else:
                self._running[worker.call("shard", number)] = (number, self.now())
        return still

    def _slowest(self) -> int | None:
        """A shard that one worker has had for very long, so that another may try."""
        often = Counter(number for number, _ in self._running.values())
        limit_s = max(BACKUP_LEAST_S, BACKUP_FACTOR * median(self.seconds)) if self.seconds else BACKUP_LEAST_S * 10
        slow = [(began, number) for number, began in self._running.values() if often[number] == 1]
        began, number = min(slow, default=(0.0, None))
        return number if number is not None and self.now() - began > limit_s else None

    def _ended(self, call: Any, queue: deque[int]) -> list[Any]:
        """Take the end of a call; returns the worker if it is idle now."""
        number, began = self._running.pop(call, (None, 0.0))
        self._starting.pop(call, None)
        try:
            result = call.result()
        except WorkerLost as error:
            self.lost += 1
            self._again(number, queue, error)
            return []
        if number in self._left:
            self._left.discard(number)
            self.seconds.append(self.now() - began)
            self.tally.merge(result)
            self.watch(self.opened.plan.shards[number - 1].rows)
        return [call.worker]

    def _again(self, number: int | None, queue: deque[int], error: WorkerLost) -> None:
        key = number or 0  # 0: it died before it was ready
        self._attempts[key] += 1
        limit = ATTEMPTS if number else ATTEMPTS * max(1, len(self._starting) + len(self._running))
        if self._attempts[key] >= limit:
            what = f"the worker of shard {self.opened.plan.name(number)}" if number else "a worker that starts"
            raise ClusterError(
                f"{what} died {self._attempts[key]} times ({error}): it may need more memory; ask for fewer workers, "
                "or for smaller shards with --shard-rows and another --output"
            )
        others = {running for running, _ in self._running.values()}
        if number in self._left and number not in others and number is not None:
            queue.appendleft(number)
        self._start()
