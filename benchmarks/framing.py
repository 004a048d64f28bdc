"""How strictly HTTP servers for Python frame requests, what that costs, and what a huge head does to other clients.

    python -m benchmarks.framing

Every server answers the same application (``servers/app_recording.py``). Strictness: the vectors of
``tests/service/smuggling.py`` over a raw socket: hidden requests that are executed, bodies that are lost or changed,
requests taken that the grammar does not know. Cost: the server's own CPU time per request on one connection, the
servers taking turns. Head: one header of 64 MB, and the slowest of another client's requests in the meantime.
Writes docs/framing.md.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.parts.machine import describe
from benchmarks.servers.environments import make, python_of
from tests.service.smuggling import HIDDEN_PATH, VECTORS, Vector, length, post

PAGE = Path("docs/framing.md")
BODY = b'{"text": "a film that is worth every minute of its length"}'
REQUEST = post(b"User-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer abcdef\r\n", length(BODY), body=BODY)
ROUNDS, REQUESTS = 7, 800  # hypercorn closes a connection after 1,000
APP = "benchmarks.servers.app_recording:app"
QUIET = ("--ws", "none", "--log-level", "critical", "--no-access-log")
SERVERS: dict[str, tuple[str, ...]] = {
    "bertline (on uvicorn)": ("main", "-m", "benchmarks.servers.serve_own_http", "{port}"),
    "uvicorn, httptools": ("http", "-m", "uvicorn", "--http", "httptools", *QUIET, "--port", "{port}", APP),
    "uvicorn, h11": ("http", "-m", "uvicorn", "--http", "h11", *QUIET, "--port", "{port}", APP),
    "hypercorn": ("http", "-m", "hypercorn", "--log-level", "critical", "--bind", "127.0.0.1:{port}", APP),
    "granian": ("http", "-m", "granian", "--interface", "asgi", "--no-ws", *QUIET[2:4], "--port", "{port}", APP),
}


def main() -> None:
    """Measure, and write the page."""
    make("http")
    strict = {name: strictness(name) for name in SERVERS}
    cost = costs()
    head = {name: huge_head(name) for name in SERVERS}
    PAGE.write_text(page(strict, cost, head), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


@contextmanager
def served(name: str, record: Path | None = None) -> Iterator[tuple[int, int]]:
    """Port and process of a server, until the block ends."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    environment, *arguments = SERVERS[name]
    command = [str(python_of(environment)), *(one.format(port=port) for one in arguments)]
    variables = {**os.environ, "PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'src'}"}
    if record is not None:
        variables["RECORD"] = str(record)
    process = subprocess.Popen(command, env=variables, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        _until_open(port)
        yield port, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until_open(port: int) -> None:
    deadline_s = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if one.recv(100):
                return
        assert time.monotonic() < deadline_s, "the server does not answer"
        time.sleep(0.05)


def strictness(name: str) -> dict[str, int]:
    """How many vectors end how."""
    found = {"hidden request executed": 0, "body lost or changed": 0, "taken, though no request by the grammar": 0}
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "asked"
        with served(name, record) as (port, _):
            for vector in VECTORS:
                record.write_text("")
                _send(port, vector)
                asked = [json.loads(line) for line in record.read_text().splitlines()]
                found["hidden request executed"] += any(path == HIDDEN_PATH for path, _ in asked)
                if vector.body is None:
                    found["taken, though no request by the grammar"] += bool(asked)
                else:
                    found["body lost or changed"] += [body for _, body in asked][:1] != [vector.body.decode("latin-1")]
    return found


def _send(port: int, vector: Vector) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as one, suppress(OSError):
        one.sendall(vector.data)
        while one.recv(65_536):
            pass


def costs() -> dict[str, list[float]]:
    """Microseconds of the server's CPU per request, by round; the servers take turns."""
    found: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(ROUNDS):
        for name in SERVERS:
            with served(name) as (port, pid), socket.create_connection(("127.0.0.1", port), timeout=30) as one:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _ask(one, 100)
                before_s = _cpu_s(pid)
                _ask(one, REQUESTS)
                found[name].append((_cpu_s(pid) - before_s) / REQUESTS * 1e6)
    return found


def _ask(one: socket.socket, times: int) -> None:
    for _ in range(times):
        one.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"ok"):
            part = one.recv(65_536)
            assert part, "the server closed the connection"
            answer += part


def _cpu_s(leader: int) -> float:
    """CPU time of all processes of a session."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:  # its session
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def huge_head(name: str) -> dict[str, float]:
    """64 MB of one header: MB taken, ms until the refusal is there, and another client's requests in the meantime."""
    with served(name) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=30) as other:
        quiet = _timed(other, 300)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
            one.setblocking(False)
            sent, began_s, refused_s = _head_beside(one, other)
        busy = _timed(other, 300)
    return {
        "taken, MB": sent / 1e6,
        "refused after, ms": refused_s * 1e3 if refused_s else float("nan"),
        "others before, ms at p99": quiet,
        "others meanwhile, ms at most": began_s * 1e3,
        "others after, ms at p99": busy,
    }


def _head_beside(one: socket.socket, other: socket.socket) -> tuple[int, float, float | None]:
    """Bytes taken, the slowest of the other client's requests (s), and from the 33rd KB to the refusal (s)."""
    sent, slowest_s, passed_s, refused_s = 0, 0.0, None, None
    piece, head = b"b" * 65_536, b"GET / HTTP/1.1\r\nHost: a\r\nA: "
    with suppress(OSError):  # a reset ends it, with the refusal unread
        sent += one.send(head)
        while sent < 2**26:
            with suppress(BlockingIOError):
                sent += one.send(piece)
            if passed_s is None and sent > 33_000:
                passed_s = time.perf_counter()
            with suppress(BlockingIOError):
                if one.recv(65_536) and passed_s is not None:
                    refused_s = time.perf_counter() - passed_s
                break
            slowest_s = max(slowest_s, _timed(other, 1) / 1e3)
    return sent, slowest_s, refused_s


def _timed(one: socket.socket, times: int) -> float:
    """Milliseconds of a request, at p99."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        _ask(one, 1)
        found.append((time.perf_counter() - began_s) * 1e3)
    return sorted(found)[int(0.99 * (len(found) - 1))]


def page(strict: dict[str, dict[str, int]], cost: dict[str, list[float]], head: dict[str, dict[str, float]]) -> str:
    """Three tables."""
    rows = [f"# Framing of requests\n\n{describe()}, {time.strftime('%Y-%m-%d')}; `python -m benchmarks.framing`.\n"]
    rows.append(f"Of {len(VECTORS)} smuggling vectors, {sum(one.body is not None for one in VECTORS)} of them valid:\n")
    rows += _table(["server", *next(iter(strict.values()))], ([name, *each.values()] for name, each in strict.items()))
    rows.append(f"\nThe server's CPU per request with a small application, median of {ROUNDS} rounds in turns:\n")
    values = (
        [name, f"{statistics.median(each):.0f} ({min(each):.0f} to {max(each):.0f})"] for name, each in cost.items()
    )
    rows += _table(["server", "µs"], values)
    rows.append("\nOne header of 64 MB beside another client's requests (– where no refusal was read):\n")
    columns = next(iter(head.values()))
    shown = ([name, *("–" if one != one else f"{one:.1f}" for one in each.values())] for name, each in head.items())
    rows += _table(["server", *columns], shown)
    return "\n".join(rows) + "\n"


def _table(head: Sequence[str], rows: Iterator[list[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]


if __name__ == "__main__":
    main()
