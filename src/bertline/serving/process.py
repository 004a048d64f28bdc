"""The server's side of a worker process (``bertline.serving.worker``): start it, send it batches, detect its loss.

A worker is lost if its socket closes, if a batch takes far longer than expected, or if it is idle and silent for
seconds (``bertline.serving.watch``). It is then killed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from bertline.data.batching import Ragged
from bertline.errors import BundleError
from bertline.serving.costs import Costs
from bertline.serving.watch import BEAT_S, SILENT_S, TICK_S, Watch
from bertline.serving.wire import PING, Frames, Order, Reply, Status
from bertline.serving.worker import Started

END_S = 2.0  # for the process to exit by itself after its socket was closed
START_TIMEOUT_S = 120.0  # enough to hash and load a gigabyte from a slow disk

log = logging.getLogger(__name__)


class WorkerLost(Exception):
    """The process is gone; another one may compute its batches."""


class ComputeFailed(Exception):
    """This batch cannot be computed; the message does not quote its texts."""


class NoMemory(ComputeFailed):
    """There is not enough memory for this batch."""


class Computes(Protocol):
    """The scheduler's view of a worker."""

    async def compute(self, output: str, batch: Ragged, *, alone: bool, behind: bool = False) -> Reply:
        """One output for each text of a batch; ``behind``: when the cores have nothing else to do.

        Raises:
            ComputeFailed: this batch cannot be computed.
            WorkerLost: the process exited or was killed.
        """
        ...


class Worker(Computes, Protocol):
    """Computes a bundle; it is started and stopped."""

    async def start(self) -> Started:
        """Return once it can compute.

        Raises:
            BundleError: it cannot load the bundle, or does not answer in time.
        """
        ...

    @property
    def pid(self) -> int:
        """Id of its process."""
        ...

    @property
    def responsive(self) -> bool:
        """Whether it has answered within the last seconds."""
        ...

    async def stop(self) -> None:
        """Stop it; it is not reported as lost."""
        ...


class StartWorker(Protocol):
    """Creates a worker, like ``WorkerProcess``."""

    def __call__(
        self,
        bundle: Path,
        *,
        engine: str | None,
        lanes: int | None,
        timeout_s: float,
        on_lost: Callable[[str], None],
        checksum: str | None,
        costs: Costs,
    ) -> Worker:
        """A worker that is not started yet."""
        ...


class WorkerProcess:
    """A process that computes a bundle.

    Args:
        bundle: its directory.
        engine: by name; None: the bundle's default.
        lanes: batches at a time; None: one per core.
        timeout_s: time limit for a batch.
        on_lost: called once with the reason if the process is lost.
        checksum: of the manifest; any other bundle is refused unread. None accepts any bundle.
        costs: estimates from earlier processes; default: none.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        engine: str | None,
        lanes: int | None,
        timeout_s: float,
        on_lost: Callable[[str], None],
        checksum: str | None = None,
        costs: Costs | None = None,
    ) -> None:
        self._bundle, self._engine, self._lanes, self._checksum = bundle, engine, lanes, checksum
        self._timeout_s, self._on_lost, self._costs = timeout_s, on_lost, costs or Costs()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._number = 0
        self._running = self._lost = False
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.Transport | None = None
        self._watch: Watch | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> Started:
        """Start the process and wait until it can compute.

        Raises:
            BundleError: it cannot load the bundle, or does not answer in time.
        """
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "bertline.serving.worker", str(self._bundle.absolute())]
        command += ["--socket", str(theirs.fileno())]
        command += ["--engine", self._engine] if self._engine else []
        command += ["--lanes", str(self._lanes)] if self._lanes else []
        command += ["--checksum", self._checksum] if self._checksum else []
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *command, pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL
                )
        except BaseException:
            ours.close()
            raise
        loop = asyncio.get_running_loop()
        ready = self._waiting[0] = loop.create_future()
        try:
            self._transport, _ = await loop.create_connection(lambda: _Connection(self), sock=ours)
            started = Started.parse((await asyncio.wait_for(ready, START_TIMEOUT_S)).text)
        except (TimeoutError, WorkerLost):
            self.kill()
            raise BundleError(f"the process that computes {self._bundle} did not start: see its output above") from None
        except BaseException:
            self.kill()
            raise
        del self._waiting[0]
        if started.error is not None:
            raise BundleError(started.error)
        self._running = True
        self._watch = Watch(self._costs, self._timeout_s, loop.time())
        self._watching = asyncio.create_task(self._look(self._watch), name="watch")
        return started

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None  # it has started
        return self._process.pid

    @property
    def responsive(self) -> bool:
        """See ``Worker.responsive``."""
        return self._watch is None or not self._watch.silent

    async def compute(self, output: str, batch: Ragged, *, alone: bool, behind: bool = False) -> Reply:
        """See ``Computes.compute``."""
        if self._lost:
            raise WorkerLost
        self._number += 1
        number, loop = self._number, asyncio.get_running_loop()
        reply = self._waiting[number] = loop.create_future()
        assert self._watch is not None  # it has started
        assert self._transport is not None
        self._transport.write(Order(number, output, batch, alone, behind).pack())
        if not behind:  # how long that takes says nothing about the process
            self._watch.sent(number, output, batch.padded_tokens, loop.time(), alone=alone)
        try:
            answer: Reply = await reply
        finally:
            self._waiting.pop(number, None)
        if answer.status is Status.NO_MEMORY:
            raise NoMemory(answer.text)
        if answer.status is Status.FAILED:
            raise ComputeFailed(answer.text)
        return answer

    async def stop(self) -> None:
        """Stop the process; it is not reported as lost."""
        self._running = False
        if self._watching is not None:
            self._watching.cancel()
        if self._transport is not None:
            self._transport.close()
        if self._process is None:
            return  # it was never started
        try:
            await asyncio.wait_for(self._process.wait(), END_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Kill the process, if it was started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def heard(self) -> None:
        """The process sent something."""
        if self._watch is not None:
            self._watch.heard(asyncio.get_running_loop().time())

    def received(self, reply: Reply) -> None:
        """The process sent a reply."""
        if self._watch is not None:
            self._watch.answered(reply.number, reply.seconds if reply.status is Status.DONE else None)
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def closed(self) -> None:
        """The process closed its end of the socket."""
        self._gone("it ended")

    def _gone(self, why: str) -> None:
        if self._lost:
            return
        self._lost = True
        if self._watching is not None:
            self._watching.cancel()
        self.kill()
        if self._transport is not None:
            self._transport.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerLost())
                waiting.exception()  # marks it as retrieved: nobody may be waiting any more
        if self._running:
            self._on_lost(why)

    async def _look(self, watch: Watch) -> None:
        """Ping the process, and kill it once ``watch`` gives it up."""
        loop, silent = asyncio.get_running_loop(), False
        asked_s = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            if (why := watch.look(now_s)) is not None:
                self._gone(why)
                return
            if watch.silent != silent:
                silent = watch.silent
                what = f"has been silent for {SILENT_S:g} s" if silent else "answers again"
                log.warning("process %d %s", self.pid, what)
            if now_s - asked_s >= BEAT_S:
                asked_s = now_s
                assert self._transport is not None
                self._transport.write(PING)


class _Connection(asyncio.Protocol):
    def __init__(self, worker: WorkerProcess) -> None:
        self._worker, self._frames = worker, Frames()

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            self._worker.heard()
            if frame:
                self._worker.received(Reply.unpack(frame))

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.closed()
