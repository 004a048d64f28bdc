"""Open-loop load on one HTTP server: requests leave when a Poisson process says so, whatever the server does.

    python -m benchmarks.servers.load < plan.json > answers.json

A process of its own that costs little: one thread, raw HTTP/1.1 over kept connections, sent at the times of a timer of
the kernel. A latency counts from the *scheduled* time to the last byte of the answer, so a server that stalls, or a
generator that is late, is seen in the figures and never left out of them (coordinated omission). Arrivals depend on the
seed alone: two runs with the same seed and rate send the same texts at the same times.

A request has as many connections to choose from as are idle, the longest idle first; if none is, it opens one, up to
``connections`` together. Beyond ``limit_s`` the client hangs up. A kept connection that the server closes as a request
leaves is no fault of either: that request is sent once more, its clock still running.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import random
import resource
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import httptools
import uvloop

HOST = "127.0.0.1"
READY = 32  # connections that are open before the first request
SWEEP_S = 0.02
# What became of a request that got no answer, in the place of a status.
BROKEN, LATE, UNSENT = 0, -1, -2
TFD_NONBLOCK, TFD_TIMER_ABSTIME = 0o4000, 1  # linux/timerfd.h


@dataclass(frozen=True)
class Plan:
    """What to send: ``bodies`` in their order, again from the first when they are used up."""

    port: int
    path: str
    bodies: list[str]
    rate_per_s: float
    duration_s: float
    seed: int = 0
    limit_s: float = 10.0
    connections: int = 8192
    headers: str = ""  # further lines of the head, each with its end


@dataclass(frozen=True)
class Answers:
    """One entry per request in the order they were scheduled; times in seconds from the start, latencies in ms."""

    scheduled_s: list[float]
    latency_ms: list[float]
    status: list[int]
    lag_p99_ms: float  # by which the generator itself was late
    cpu_share: float  # of one core, used by the generator
    peak_connections: int
    sent_again: int  # requests whose kept connection was closed as they left


def arrivals(rate_per_s: float, duration_s: float, seed: int) -> list[float]:
    """Times of a Poisson process, in seconds."""
    rng, now = random.Random(seed), 0.0
    found: list[float] = []
    while True:
        now += rng.expovariate(1.0) / rate_per_s
        if now >= duration_s:
            return found
        found.append(now)


def wire(port: int, path: str, body: str, headers: str = "") -> bytes:
    """A request as it goes over the wire; ``headers`` are further lines of its head, each with its end."""
    content = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: */*\r\nContent-Type: application/json\r\n"
    return f"{head}{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content


class Alarm:
    """A timer of the kernel as a readable file: the loop's own timers count whole milliseconds."""

    class _Spec(ctypes.Structure):
        _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "s", "ns")]

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, TFD_NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "this kernel gave no timer: run the benchmark on Linux")

    def ring_at(self, monotonic_s: float) -> None:
        """Become readable at that time of ``time.monotonic``, at once if it is past."""
        whole, part = divmod(max(1, int(monotonic_s * 1e9)), 1_000_000_000)
        self._libc.timerfd_settime(self.fd, TFD_TIMER_ABSTIME, ctypes.byref(self._Spec(0, 0, whole, part)), None)

    def quieten(self) -> None:
        """Be no longer readable."""
        with suppress(BlockingIOError):  # rung again since
            os.read(self.fd, 8)


class Connection(asyncio.Protocol):
    """One kept connection with at most one request under way."""

    def __init__(self, load: Load, request: int | None) -> None:
        self.load, self.request = load, request
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.used, self.started = 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        if self.request is None:
            self.load.idle.append(self)
        elif self.request in self.load.under_way:
            self.send(self.request)
        else:  # given up while the connection was being opened
            self.hang_up()

    def send(self, request: int) -> None:
        """Send one request."""
        assert self.transport is not None
        self.request, self.started = request, False
        self.used += 1
        self.transport.write(self.load.wire_of(request))

    def data_received(self, data: bytes) -> None:
        self.started = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.hang_up()

    def on_message_complete(self) -> None:
        """The whole answer is there."""
        if self.parser.get_status_code() >= 200:  # 100 Continue and the like are none
            self.load.answered(self, self.parser.get_status_code(), self.parser.should_keep_alive())

    def hang_up(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.load.lost(self)


class Load:
    """One run of a plan; ``run`` returns when each request was answered or given up."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.scheduled_s = arrivals(plan.rate_per_s, plan.duration_s, plan.seed)
        self.wires = [wire(plan.port, plan.path, body, plan.headers) for body in plan.bodies]
        self.latency_s = [0.0] * len(self.scheduled_s)
        self.lag_s = [0.0] * len(self.scheduled_s)
        self.status = [BROKEN] * len(self.scheduled_s)
        self.idle: deque[Connection] = deque()
        self.under_way: dict[int, Connection] = {}  # in the order of their times
        self.retried: set[int] = set()
        self.open = self.peak = self.next = 0
        self.began_s = 0.0
        self.alarm = Alarm()
        self.connecting: set[asyncio.Task[None]] = set()

    def wire_of(self, request: int) -> bytes:
        """The bytes of a request."""
        return self.wires[request % len(self.wires)]

    async def run(self) -> Answers:
        """Send everything and wait for the last answer."""
        loop = asyncio.get_running_loop()
        for _ in range(READY):
            self._connect(None)
        await asyncio.gather(*self.connecting)
        gc.collect()
        gc.freeze()
        gc.disable()
        spent_s, self.began_s = time.process_time(), time.monotonic()
        loop.add_reader(self.alarm.fd, self._send_due)
        self._send_due()
        while self.next < len(self.scheduled_s) or self.under_way:
            await asyncio.sleep(SWEEP_S)
            self._give_up()
        loop.remove_reader(self.alarm.fd)
        share = (time.process_time() - spent_s) / (time.monotonic() - self.began_s)
        lag_s = sorted(self.lag_s)
        return Answers(
            [round(one, 6) for one in self.scheduled_s],
            [round(1000 * one, 3) for one in self.latency_s],
            self.status,
            round(1000 * lag_s[int(0.99 * (len(lag_s) - 1))], 3) if lag_s else 0.0,
            round(share, 4),
            self.peak,
            len(self.retried),
        )

    def answered(self, connection: Connection, status: int, keep: bool) -> None:
        """An answer has come."""
        request, connection.request = connection.request, None
        if request in self.under_way:
            self._finish(request, status)
        if keep:
            self.idle.append(connection)
        else:
            connection.hang_up()

    def lost(self, connection: Connection) -> None:
        """A connection is gone, its request perhaps with it."""
        self.open -= 1
        request, connection.request = connection.request, None
        if request is None or request not in self.under_way:
            return
        if connection.used > 1 and not connection.started and request not in self.retried:
            self.retried.add(request)
            self._send(request)
        else:
            self._finish(request, BROKEN)

    def _send_due(self) -> None:
        self.alarm.quieten()
        now = time.monotonic() - self.began_s
        while self.next < len(self.scheduled_s) and self.scheduled_s[self.next] <= now:
            self.lag_s[self.next] = now - self.scheduled_s[self.next]
            self._send(self.next)
            self.next += 1
            now = time.monotonic() - self.began_s
        if self.next < len(self.scheduled_s):
            self.alarm.ring_at(self.began_s + self.scheduled_s[self.next])

    def _send(self, request: int) -> None:
        while self.idle:
            connection = self.idle.popleft()
            if connection.transport is not None and not connection.transport.is_closing():
                self.under_way[request] = connection
                connection.send(request)
                return
        if self.open >= self.plan.connections:
            self._finish(request, UNSENT)
        else:
            self._connect(request)

    def _connect(self, request: int | None) -> None:
        connection = Connection(self, request)
        self.open += 1
        self.peak = max(self.peak, self.open)
        if request is not None:
            self.under_way[request] = connection
        task = asyncio.get_running_loop().create_task(self._open(connection))
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)

    async def _open(self, connection: Connection) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, HOST, self.plan.port)
        except OSError:
            self.lost(connection)

    def _give_up(self) -> None:
        latest = time.monotonic() - self.began_s - self.plan.limit_s
        while self.under_way:
            request, connection = next(iter(self.under_way.items()))
            if self.scheduled_s[request] > latest:
                return
            self._finish(request, LATE)
            connection.hang_up()

    def _finish(self, request: int, status: int) -> None:
        self.under_way.pop(request, None)
        self.latency_s[request] = time.monotonic() - self.began_s - self.scheduled_s[request]
        self.status[request] = status


def main() -> None:
    """Run the plan of stdin."""
    told: dict[str, Any] = json.load(sys.stdin)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    answers = uvloop.run(Load(Plan(**told)).run())
    json.dump(asdict(answers), sys.stdout)


if __name__ == "__main__":
    main()
