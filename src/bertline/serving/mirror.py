"""Computes requests that were answered again, with the other version, to compare: a shadow's whole work.

It stands behind every real request: it begins when nothing waits for a lane, computes one request at a time in a
thread of the lowest priority (``bertline.serving.worker``), and what does not fit into its short queue is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from bertline.data.batching import Ragged
from bertline.encoder.outputs import rows
from bertline.serving.answered import Answered, Timing, made
from bertline.serving.listeners import Listener
from bertline.serving.process import ComputeFailed, WorkerLost
from bertline.serving.scheduler import Scheduler
from bertline.serving.trial import Trial
from bertline.serving.version import Version
from bertline.tasks import task
from bertline.tasks.compared import Compared
from bertline.text import Policy, Reading, Truncation
from bertline.text.reader import read_each

MOST_WAITING = 32  # requests
OLDEST_S = 5.0  # a request that has waited longer is dropped
AGAIN_S = 0.005  # between two looks whether the lanes are free

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    trial: Trial
    answered: Answered
    policy: Policy | None
    max_tokens: int | None
    at_s: float
    context: Context  # of the request


class Mirror:
    """The queue of answered requests, and the task that computes them.

    Args:
        scheduler: of the server.
        listeners: hear of each answer.
        seed: of the choice of requests; default: none.
    """

    def __init__(self, scheduler: Scheduler, listeners: Listener, seed: int | None = None) -> None:
        self._scheduler, self._listeners, self._random = scheduler, listeners, random.Random(seed)
        self._waiting: deque[_Answer] = deque()
        self._task: asyncio.Task[None] | None = None

    def offer(
        self, trial: Trial, output: str, answered: Answered, policy: Policy | None, max_tokens: int | None
    ) -> None:
        """A request was answered: compute it with the other version too, if there is time.

        Args:
            trial: of its model.
            output: that was asked for; only that of the task is compared.
            answered: by one of the trial's versions.
            policy: of truncation, if the request names one.
            max_tokens: to read of each text, if the request says so.
        """
        version, other = answered.version, trial.other(answered.version)
        if other is None or output != version.spec.output or answered.spec != version.spec:
            return
        if other.spec.task != version.spec.task or self._random.random() >= trial.compare:
            return
        if len(self._waiting) >= MOST_WAITING:
            trial.tally.dropped += 1
            return
        now_s = asyncio.get_running_loop().time()
        self._waiting.append(_Answer(trial, answered, policy, max_tokens, now_s, copy_context()))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="mirror")

    async def stop(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            while self._scheduler.waiting:
                await asyncio.sleep(AGAIN_S)
            one = self._waiting.popleft()
            if one.trial.lost or loop.time() - one.at_s > OLDEST_S:
                one.trial.tally.dropped += 1
                continue
            try:
                await self._compare(one)
            except Exception as error:  # whatever it is, no request waits for it
                log.warning("a request could not be compared: %s", type(error).__name__)
                one.trial.tally.dropped += 1

    async def _compare(self, one: _Answer) -> None:
        trial, first = one.trial, one.answered
        other = trial.other(first.version)
        assert other is not None
        shadow = trial.role == "shadow"
        other.users += 1
        try:
            readings = await _readings(one, other)
            second = await _computed(other, readings)
        except (ComputeFailed, WorkerLost):
            if shadow:
                trial.failed(other)
            return
        finally:
            other.users -= 1
        if second is None:
            trial.tally.dropped += 1
            return
        for answered in (first, second):
            await made(answered, partial(_answers, answered))
        one.context.run(self._listeners.mirrored, second)
        result: Compared = task(other.spec.task).compared.compared(first.version.spec, first.answers, second.answers)
        agree = self._random.choice(result.agree) if result.agree else None  # one per request: they are independent
        seconds = first.timing.compute_s, second.timing.compute_s
        trial.compared(result, agree, *(seconds if shadow else seconds[::-1]))
        if shadow:
            trial.tally.challenger_requests += 1


def _answers(answered: Answered) -> Sequence[Any]:
    return answered.answers


async def _readings(one: _Answer, other: Version) -> Sequence[Reading]:
    """The inputs as the other version reads them; the same if both read alike."""
    version, readings = one.answered.version, one.answered.readings
    both = [
        Truncation(min(model.max_tokens, one.max_tokens or model.max_tokens), one.policy or model.truncation)
        for model in (version, other)
    ]
    if other.tokeniser_digest == version.tokeniser_digest and both[0] == both[1]:
        return readings
    inputs = [(reading.input, both[1]) for reading in readings]
    return await asyncio.to_thread(read_each, other.tokenizer, inputs, offsets=other.spec.offsets)


async def _computed(other: Version, readings: Sequence[Reading]) -> Answered | None:
    """The answer of the other version, computed piece by piece; None if there was no time for it."""
    output, line = other.spec.output, other.line(other.spec.output)
    arrays, seconds = [], 0.0
    pieces = [piece for reading in readings for piece in reading.pieces]
    for piece in pieces:  # one by one: nothing may have to wait for more than that
        worker = line.station.worker
        if worker is None:
            raise WorkerLost
        batch = Ragged.of([piece], line.pad_id)
        try:
            reply = await asyncio.wait_for(worker.compute(output, batch, alone=False, behind=True), timeout=OLDEST_S)
        except TimeoutError:
            return None
        assert reply.values is not None
        arrays += rows(output, reply.values, [piece])
        seconds += reply.seconds
    each = iter(arrays)
    own = [[*islice(each, len(reading.pieces))] for reading in readings]
    return Answered(other, own, readings, Timing(0.0, 0.0, seconds), other.spec)
