"""What the server's own process costs: a real server on this machine, one request at a time and sixteen."""

from __future__ import annotations

import asyncio
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from bertline.deploy.capacity.processes import children, cpu_s, memory_mb
from bertline.errors import BertlineError

HOST = "127.0.0.1"
TOGETHER = 16  # connections of the load
ANSWER_LIMIT_S = 60.0
WARM_UP = 20
PAUSE_S = (
    0.01  # between single requests: with cold caches one takes half as much again as without a pause (docs/log.md)
)
_BATCHES = re.compile(rb"^bertline_batch_texts_count\{[^}]*\} ([0-9.e+]+)", re.MULTILINE)
_INFERENCE = re.compile(rb"inference;dur=([0-9.]+)")


class MeasuringFailed(BertlineError):
    """The server that is measured did not start, or did not answer."""


@dataclass(frozen=True, slots=True)
class ServerCost:
    """What was measured; the attributes are those of ``ServiceTimes``."""

    request_s: float
    batch_s: float
    transit_s: float
    memory_mb: float
    start_s: float


def measure_server(bundle: Path, engine: str, bodies: Sequence[str], seconds: float) -> ServerCost:
    """Start a server, ask it for half of the time one by one and for half of it together.

    Raises:
        MeasuringFailed: it does not start, or an answer is an error.
    """
    began_s = time.monotonic()
    with running(bundle, engine) as (process, port):
        start_s = time.monotonic() - began_s
        wires = [_wire(port, body) for body in bodies]
        single_s, rest_s = _one_by_one(process.pid, port, wires, seconds / 2)
        together_s, batches = asyncio.run(_together(process.pid, port, wires, seconds / 2))
        memory = sum(memory_mb(pid) for pid in (process.pid, *children(process.pid)))
    request_s, batch_s = shares(single_s, together_s, batches)
    return ServerCost(request_s, batch_s, max(0.0, rest_s), memory, start_s)


def shares(single_s: float, together_s: float, batches: float) -> tuple[float, float]:
    """The server's time per request and per batch, from requests with a batch each and from requests that share one.

    Args:
        single_s: of a request with one batch.
        together_s: of a request with ``batches`` of a batch.
        batches: per request under load.

    >>> [round(one, 6) for one in shares(0.0010, 0.0006, 0.2)]
    [0.0005, 0.0005]
    """
    if batches > 0.9 or together_s >= single_s:  # one batch each: the load says nothing about batches
        return together_s / 2, together_s / 2
    # At most half of a request's time under load is its batch's: single requests also pay for cold caches.
    batch_s = min((single_s - together_s) / (1 - batches), together_s / 2 / max(batches, 1e-9))
    return together_s - batches * batch_s, batch_s


@contextmanager
def running(bundle: Path, engine: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server without keys on the loopback interface, and its port."""
    command = [sys.executable, "-m", "bertline.deploy.capacity.served", str(bundle.absolute()), engine]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.strip().isdigit():
                log.seek(0)
                last = log.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise MeasuringFailed(f"the server with {bundle} and engine {engine} did not start: {last}")
            yield process, int(line)
        finally:
            process.terminate()


def _wire(port: int, body: str) -> bytes:
    content = body.encode()
    head = f"POST /v1/predict HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def _one_by_one(pid: int, port: int, wires: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """The server's CPU time of a request, and the rest of its latency: neither that nor the batch."""
    rest: list[float] = []
    with socket.create_connection((HOST, port), ANSWER_LIMIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as stream:
            for wire in islice(cycle(wires), WARM_UP):
                _ask(connection, stream, wire)
            spent_s, until_s = -cpu_s(pid), time.monotonic() + seconds
            for wire in cycle(wires):
                time.sleep(PAUSE_S)
                began_s = time.monotonic()
                inference_s = _ask(connection, stream, wire)
                now_s = time.monotonic()
                rest.append(now_s - began_s - inference_s)
                if now_s > until_s:
                    break
            each_s = (spent_s + cpu_s(pid)) / len(rest)
    return each_s, statistics.median(rest) - each_s


def _ask(connection: socket.socket, stream: object, wire: bytes) -> float:
    """Seconds of computing that an answer names."""
    connection.sendall(wire)
    status = stream.readline()  # type: ignore[attr-defined]
    head = b"".join(iter(stream.readline, b"\r\n"))  # type: ignore[attr-defined]
    body = stream.read(_length(head))  # type: ignore[attr-defined]
    _check(status, body)
    match = _INFERENCE.search(head)
    return float(match[1]) / 1000 if match else 0.0


def _length(head: bytes) -> int:
    match = re.search(rb"(?i)content-length: (\d+)", head)
    return int(match[1]) if match else 0


def _check(status: bytes, body: bytes) -> None:
    if b" 200" not in status:
        raise MeasuringFailed(f"the server refused a text to measure with: {body[:300].decode(errors='replace')}")


async def _together(pid: int, port: int, wires: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """The server's CPU time of a request, and batches per request, with ``TOGETHER`` connections."""
    bodies, loop = cycle(wires), asyncio.get_running_loop()
    answers = 0

    async def client(until_s: float) -> None:
        nonlocal answers
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            while loop.time() < until_s:
                writer.write(next(bodies))
                head = await reader.readuntil(b"\r\n\r\n")
                _check(head.partition(b"\r\n")[0], await reader.readexactly(_length(head)))
                answers += 1
        finally:
            writer.close()

    await asyncio.gather(*(client(loop.time() + 0.3) for _ in range(TOGETHER)))
    before, answers, spent_s = await _batches(port), 0, -cpu_s(pid)
    await asyncio.gather(*(client(loop.time() + seconds) for _ in range(TOGETHER)))
    spent_s += cpu_s(pid)
    return spent_s / answers, (await _batches(port) - before) / answers


async def _batches(port: int) -> float:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET /metrics HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
    text = await reader.read()
    writer.close()
    return sum(float(one) for one in _BATCHES.findall(text))
