"""Schedules the texts of all requests and models on as many lanes as there are cores.

A free lane takes a batch at once (there is no polling, and an idle server adds no delay), from the model that has used
the machine least. A batch that fails is halved until the text at fault is alone. If a worker dies, the texts of its
batch are computed again one by one, so that a text that crashes the worker costs only its own request.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertline.data.batching import Ragged
from bertline.encoder.outputs import rows
from bertline.serving.problems import Code, Problem
from bertline.serving.process import ComputeFailed, Computes, NoMemory, WorkerLost
from bertline.serving.queue import TokenQueue, Waiting, turns
from bertline.serving.wire import Reply
from bertline.text import Piece

log = logging.getLogger(__name__)

FIRST_TOKENS_PER_S = 4000.0  # assumed until the warm-up batches were measured
LAST_WAITS = 4  # a request's last text may wait this many times longer than its first
SMOOTHING = 0.1  # weight of the last batch in the moving average of tokens per second
LEAST_BUDGET_TOKENS = 16
BUDGET_BACK_S = 60.0  # after which a budget that was halved for lack of memory is doubled again

ORIGIN: ContextVar[object] = ContextVar("origin", default=None)  # the request, for ``BatchRecord``


@dataclass(slots=True, eq=False)
class Job:
    """A request's texts, until all are computed."""

    done: asyncio.Future[None]
    rows: list[np.ndarray[Any, Any] | None]
    left: int
    queue_s: float = 0.0  # of the text that waited longest
    compute_s: float = 0.0  # of the batch that took longest
    origin: object = None


class TextProblem(Problem):
    """One of a request's texts cannot be computed.

    Attributes:
        place: index among the pieces of the request.
    """

    def __init__(self, code: Code, place: int, why: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, f"The model cannot compute text {place}: {why}.", f"texts[{place}]", headers=headers)
        self.place, self._why = place, why

    def named(self, field: str) -> Problem:
        """The same with the request's own name of the text."""
        return Problem(self.code, f"The model cannot compute {field}: {self._why}.", field, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Computed:
    """An array per text, without padding, and the times."""

    rows: list[np.ndarray[Any, Any]]
    queue_s: float
    compute_s: float


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A computed batch, for metrics, logs and traces.

    Attributes:
        origins: the requests of its texts (``ORIGIN``), each once.
    """

    line: Line
    texts: int
    tokens: int
    padded_tokens: int
    queue_s: tuple[float, ...]
    compute_s: float
    origins: tuple[object, ...] = ()


@dataclass(eq=False)
class Station:
    """The worker behind a model's lines; None while there is none."""

    worker: Computes | None = None
    in_flight: int = 0
    suspects: deque[tuple[Line, Waiting[Job]]] = field(default_factory=deque)
    exclusive: bool = False  # a suspect is being computed alone
    closed: bool = False  # there will be no worker any more


@dataclass(eq=False)
class Line:
    """The waiting texts for one output of one model.

    Attributes:
        model: name and version, for readers of ``BatchRecord``.
        output: of the network, by its name in ``encoder.outputs``.
        station: its worker.
        batch_tokens: maximum padded tokens of a batch.
        pad_id: of the tokenizer.
    """

    model: tuple[str, str]
    output: str
    station: Station
    batch_tokens: int
    pad_id: int
    queue: TokenQueue[Job] = field(default_factory=TokenQueue)
    halves: deque[list[Waiting[Job]]] = field(default_factory=deque)
    served_s: float = 0.0
    tokens_per_s: float = FIRST_TOKENS_PER_S
    budget_tokens: int = 0
    halved_s: float = -math.inf

    def __post_init__(self) -> None:
        self.budget_tokens = self.batch_tokens

    @property
    def has_work(self) -> bool:
        """Whether a text waits."""
        return bool(self.queue.texts or self.halves)


class Scheduler:
    """All lines of a server.

    Args:
        lanes: batches computed at a time, over all models.
        max_wait_s: maximum wait of a request's first text; of its last text, ``LAST_WAITS`` times as long.
        observe: receives each batch's record.
    """

    def __init__(self, lanes: int, max_wait_s: float, observe: Callable[[BatchRecord], None] = lambda _: None) -> None:
        self.lanes, self._max_wait_s, self._observe = lanes, max_wait_s, observe
        self._lines: list[Line] = []
        self._busy = 0
        self.asked = 0  # pieces, ever
        self._running: set[asyncio.Task[None]] = set()

    def add(self, line: Line) -> None:
        """Add a line."""
        self._lines.append(line)

    def remove(self, line: Line) -> None:
        """Remove a line, which gets no more texts."""
        self._lines.remove(line)

    @property
    def waiting(self) -> bool:
        """Whether a text waits for a lane."""
        return any(line.has_work for line in self._lines)

    def expected_wait_s(self, line: Line) -> float:
        """Expected wait of a text with the last turn."""
        return line.queue.tokens / line.tokens_per_s

    def refusal(self, line: Line, tokens: int) -> Problem | None:
        """The problem that a request with so many tokens would get now; None if it would be admitted."""
        if self.expected_wait_s(line) <= self._max_wait_s:
            return None
        (turn_s,) = turns(asyncio.get_running_loop().time(), [tokens], line.tokens_per_s)
        return self._overload(line, turn_s, turn_s)[0]

    async def compute(self, line: Line, pieces: Sequence[Piece], deadline_s: float) -> Computed:
        """Compute the line's output for each piece.

        Args:
            line: of the model.
            pieces: of the request's texts.
            deadline_s: on the event loop's clock; texts are not computed after it.

        Raises:
            Problem: the server is overloaded, or the deadline cannot be met.
            TextProblem: a text cannot be computed.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if line.station.closed:
            raise _closed()
        job = Job(loop.create_future(), [None] * len(pieces), len(pieces), origin=ORIGIN.get())
        each = zip(pieces, turns(now_s, (len(one.ids) for one in pieces), line.tokens_per_s), strict=True)
        texts = [Waiting(piece, turn_s, deadline_s, job, place, now_s) for place, (piece, turn_s) in enumerate(each)]
        self._admit(line, texts, now_s)
        self.asked += len(texts)
        self._wake(line)
        for text in texts:
            line.queue.put(text)
        self.pump()
        timer = loop.call_at(deadline_s, _expire, job)
        try:
            await job.done
        finally:
            timer.cancel()
            for text in texts:
                line.queue.leave(text)
        return Computed([row for row in job.rows if row is not None], job.queue_s, job.compute_s)

    def pump(self) -> None:
        """Give each free lane a batch while there are any."""
        while self._busy < self.lanes:
            ready = [line for line in self._lines if _can_start(line)]
            if not ready:
                return
            line = min(ready, key=lambda one: one.served_s)
            batch = self._next_batch(line)
            if batch:
                self._start(line, batch)

    def close(self, station: Station) -> None:
        """Close a station for good: all requests that wait for it fail."""
        station.closed = True
        waiting = [text for _, text in station.suspects]
        for line in self._lines:
            if line.station is station:
                waiting += [*line.queue, *(text for half in line.halves for text in half)]
                line.halves.clear()
        station.suspects.clear()
        for text in waiting:
            _fail(text, _closed())

    def _admit(self, line: Line, texts: list[Waiting[Job]], now_s: float) -> None:
        """Check that the texts would not wait too long.

        Raises:
            Problem: the queue is too long, or the last text would miss its deadline.
        """
        own_s = sum(text.tokens for text in texts) / line.tokens_per_s
        wait_s = self.expected_wait_s(line)
        if wait_s <= self._max_wait_s and now_s + wait_s + own_s <= texts[-1].deadline_s:
            return
        problem, last_s = self._overload(line, texts[0].turn_s, texts[-1].turn_s)
        if problem is not None:
            raise problem
        if now_s + last_s + own_s > texts[-1].deadline_s:
            raise _late(f"It would take about {last_s + own_s:.2f} s")

    def _overload(self, line: Line, first_turn_s: float, last_turn_s: float) -> tuple[Problem | None, float]:
        """The problem of a request with these turns, if any, and the expected wait of its last text."""
        # An exact count, only here because it is slow: many waiting texts may have later turns.
        turns_s = first_turn_s, last_turn_s
        first_s, last_s = (line.queue.tokens_before(turn_s) / line.tokens_per_s for turn_s in turns_s)
        beyond_s = max(first_s - self._max_wait_s, last_s - LAST_WAITS * self._max_wait_s)
        if beyond_s <= 0:
            return None, last_s
        again_s = max(1, math.ceil(beyond_s + self._max_wait_s / 2))
        message = f"The texts that go before these already take about {last_s:.1f} s: try again in {again_s} s."
        return Problem(Code.OVERLOADED, message, headers={"Retry-After": str(again_s)}), last_s

    def _wake(self, line: Line) -> None:
        """An idle line earns no credit for the time in which it had no work."""
        if not line.has_work:
            others = [one.served_s for one in self._lines if one.has_work]
            line.served_s = max(line.served_s, min(others, default=line.served_s))

    def _next_batch(self, line: Line) -> list[Waiting[Job]]:
        now_s = asyncio.get_running_loop().time()
        if line.budget_tokens < line.batch_tokens and now_s - line.halved_s > BUDGET_BACK_S:
            line.budget_tokens, line.halved_s = min(line.batch_tokens, 2 * line.budget_tokens), now_s
        station = line.station
        if station.suspects and station.suspects[0][0] is line:
            batch, station.exclusive = [station.suspects.popleft()[1]], True
        elif line.halves:
            batch = line.halves.popleft()
        else:
            taken = line.queue.take(line.budget_tokens, now_s)
            self._drop(taken.late)
            return taken.batch
        self._drop([text for text in batch if text.deadline_s <= now_s])
        batch = [text for text in batch if not text.gone and text.deadline_s > now_s]
        station.exclusive = station.exclusive and bool(batch)
        return batch

    def _drop(self, late: list[Waiting[Job]]) -> None:
        for text in late:
            _fail(text, _late("Its deadline passed while it waited"))

    def _start(self, line: Line, texts: list[Waiting[Job]]) -> None:
        self._busy += 1
        line.station.in_flight += 1
        alone = self._busy == 1 and not self.waiting
        task = asyncio.create_task(self._run(line, texts, alone))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, line: Line, texts: list[Waiting[Job]], alone: bool) -> None:
        loop = asyncio.get_running_loop()
        began_s, spent_s = loop.time(), None
        batch = Ragged.of([text.piece for text in texts], line.pad_id)
        worker = line.station.worker
        try:
            if worker is None:
                raise WorkerLost
            reply = await worker.compute(line.output, batch, alone=alone)
            spent_s = reply.seconds
            self._deliver(line, texts, reply, began_s, batch.padded_tokens, alone)
        except WorkerLost:
            self._lost(line, texts)
        except NoMemory as error:
            line.budget_tokens = max(LEAST_BUDGET_TOKENS, min(line.budget_tokens, batch.padded_tokens) // 2)
            line.halved_s = began_s
            self._halve(line, texts, error)
        except ComputeFailed as error:
            self._halve(line, texts, error)
        except Exception as error:  # a bug: these requests fail, and the lane goes on
            for text in texts:
                _fail(text, error)
        finally:
            # The time of a failed batch counts too: a failing model must not starve the others.
            line.served_s += loop.time() - began_s if spent_s is None else spent_s
            self._busy -= 1
            line.station.in_flight -= 1
            line.station.exclusive = False
            self.pump()

    def _deliver(
        self, line: Line, texts: list[Waiting[Job]], reply: Reply, began_s: float, padded: int, alone: bool
    ) -> None:
        assert reply.values is not None
        tokens = sum(text.tokens for text in texts)
        waited = tuple(began_s - text.arrived_s for text in texts)
        pace = tokens / max(reply.seconds, 1e-6) * (1 if alone else self.lanes)
        line.tokens_per_s += SMOOTHING * (pace - line.tokens_per_s)
        arrays = rows(line.output, reply.values, [text.piece for text in texts])
        for text, array, queue_s in zip(texts, arrays, waited, strict=True):
            job = text.sender
            job.rows[text.place] = array
            job.queue_s, job.compute_s = max(job.queue_s, queue_s), max(job.compute_s, reply.seconds)
            job.left -= 1
            if not job.left and not job.done.done():
                job.done.set_result(None)
        origins = tuple(dict.fromkeys(text.sender.origin for text in texts if text.sender.origin is not None))
        self._observe(BatchRecord(line, len(texts), tokens, padded, waited, reply.seconds, origins))

    def _halve(self, line: Line, texts: list[Waiting[Job]], error: ComputeFailed) -> None:
        """Split a failed batch, so that in the end the text at fault is alone."""
        if len(texts) == 1:
            no_memory = isinstance(error, NoMemory)
            code = Code.NO_MEMORY if no_memory else Code.COMPUTE_FAILED
            why = "there is not enough memory" if no_memory else str(error)
            log.error("%s cannot compute a text of %d tokens: %s", " ".join(line.model), texts[0].tokens, error)
            _fail(texts[0], TextProblem(code, texts[0].place, why))
            return
        middle = len(texts) // 2
        line.halves += [texts[:middle], texts[middle:]]

    def _lost(self, line: Line, texts: list[Waiting[Job]]) -> None:
        """The worker died: compute each text again by itself, unless the worker has died twice with it."""
        for text in texts:
            text.lost += 1
            if line.station.closed:
                _fail(text, _closed())
            elif text.lost == 1:
                line.station.suspects.append((line, text))
            else:
                why = "its process died twice with it; send another text, or look at the server's log"
                _fail(text, TextProblem(Code.WORKER_LOST, text.place, why, headers={"Retry-After": "1"}))


def _can_start(line: Line) -> bool:
    """Whether the worker may get a batch of this line now."""
    station = line.station
    if station.worker is None or station.exclusive:
        return False
    if station.suspects:
        return station.in_flight == 0 and station.suspects[0][0] is line
    return line.has_work


def _expire(job: Job) -> None:
    if not job.done.done():
        job.done.set_exception(_late("Its deadline passed before it was computed"))


def _fail(text: Waiting[Job], error: Exception) -> None:
    text.gone = True
    if not text.sender.done.done():
        text.sender.done.set_exception(error)


def _closed() -> Problem:
    return Problem(Code.WORKER_LOST, "The process that computes cannot be started again: ask another server.")


def _late(why: str) -> Problem:
    return Problem(Code.DEADLINE, f"{why}: try again with a longer X-Request-Timeout-Ms, or with fewer texts.")
