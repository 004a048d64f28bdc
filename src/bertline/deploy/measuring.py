"""Measure a bundle by starting its server on this machine and sending it requests.

Clients keep a number of requests in flight (closed loop): the throughput at 1, 2, 4 … shows where more of them only
wait. Clients and server share the cores, so the server has fewer than in production, and the figures err low.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from bertline.bundle import Bundle
from bertline.bundle.probes import read_probes
from bertline.deploy.measured import ServerFigures
from bertline.errors import BertlineError, BertlineWarning
from bertline.machine.cores import usable_cores
from bertline.machine.instructions import processor
from bertline.text import Input, Tokenizer
from bertline.text.reading import texts_of

IN_FLIGHT = (1, 2, 4, 8, 16, 32)
STEP_S = 2.0
QUIET_LOAD = 0.3  # of the last minute, per core
MOST = 0.8  # share of the throughput at which a replica counts as full
GROWTH = 1.05  # a step that does not bring so much more is the last one
HEADERS = {"Content-Type": "application/json"}
SENTENCES = ("The film stays with you for days.", "A film that one remembers.")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Started:
    """A running server."""

    url: str
    engine: str
    load_s: float
    process: subprocess.Popen[str]

    def memory_bytes(self) -> int:
        """The sum of the peaks of the server and its workers; pages that they share count for each."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return sum(_peak_bytes(pid) for pid in (self.process.pid, *map(int, children.split())))


def example_of(bundle: Bundle) -> dict[str, object]:
    """A request body that the model answers."""
    spec = bundle.manifest.task
    if spec.task == "fill":
        mask = spec.with_tokenizer(Tokenizer.from_directory(bundle.path)).required
        return {"text": f"Paris is the {mask} of France."}
    return {"text": SENTENCES[0]} if spec.reads == "text" else {"text": SENTENCES[0], "text_pair": SENTENCES[1]}


def measure(bundle: Bundle, say: Say = lambda _: None) -> ServerFigures:
    """Start the server of a bundle, load it for some seconds, and stop it.

    Args:
        bundle: to serve.
        say: receives a line for each step.

    Raises:
        BertlineError: the server does not start, or does not answer.
    """
    bodies = [json.dumps(_body(one)) for one in read_probes(bundle.path).texts if _is_plain(one)]
    bodies = bodies or [json.dumps(example_of(bundle))]
    if (busy := os.getloadavg()[0]) > QUIET_LOAD * usable_cores():
        warnings.warn(
            f"this machine is busy (load {busy:.1f}), so the throughput will be too low: measure again when it is idle",
            BertlineWarning,
            stacklevel=2,
        )
    rates: dict[int, float] = {}
    with _served(bundle.path) as server:
        say(f"ready after {server.load_s:.1f} s")
        bodies = _answered(server.url, bodies)
        for clients in IN_FLIGHT:
            rates[clients] = _rate(server.url, bodies, clients)
            say(f"{clients} in flight: {rates[clients]:.0f} requests per second")
            if clients > 2 * usable_cores() and rates[clients] < GROWTH * max(list(rates.values())[:-1]):
                break
        memory_bytes = server.memory_bytes()
    best = max(rates.values())
    return ServerFigures(
        throughput_rps=round(best, 1),
        load_s=round(server.load_s, 2),
        memory_bytes=memory_bytes,
        threads=usable_cores(),
        engine=server.engine,
        machine=f"{processor()}, {usable_cores()} cores",
        date=date.today().isoformat(),
        in_flight=next(clients for clients, rate in rates.items() if rate >= MOST * best),
    )


def _is_plain(one: Input) -> bool:
    return len(texts_of(one)) <= 2


def _body(one: Input) -> dict[str, str]:
    return dict(zip(("text", "text_pair"), texts_of(one), strict=False))


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def _served(bundle: Path) -> Iterator[_Started]:
    """The server with its defaults: neither the environment nor a ``bertline.toml`` counts, as in a new container."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BERTLINE_")}
    command = [
        sys.executable,
        "-m",
        "bertline.cli.main",
        "serve",
        str(bundle.resolve()),
        "--port",
        "0",
        "--drain-s",
        "0",
    ]
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        began_s = time.monotonic()
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            load_s = time.monotonic() - began_s
            if " at http" not in line:
                process.wait(timeout=30)
                errors.seek(0)
                why = (errors.read().strip().splitlines() or ["it ended without a word"])[-1].removeprefix("error: ")
                raise BertlineError(f"{bundle} could not be measured, because its server did not start: {why}")
            engine = line.partition(", engine ")[2].partition(")")[0]
            yield _Started(line.split(" at ")[1].split()[0], engine, load_s, process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _answered(url: str, bodies: Sequence[str]) -> list[str]:
    """Those that the service answers, each sent once; probes may be texts that it refuses, such as empty ones."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    kept, refusal = list[str](), ""
    for body in bodies:
        connection.request("POST", "/v1/predict", body, HEADERS)
        response = connection.getresponse()
        answer = response.read().decode(errors="replace")
        if response.status == 200:
            kept.append(body)
        else:
            refusal = refusal or f"{response.status} {answer}"
    connection.close()
    if not kept:
        raise BertlineError(f"the server could not be measured, because it did not answer a request: {refusal}")
    return kept


def _rate(url: str, bodies: Sequence[str], clients: int) -> float:
    """Answers per second while so many clients each have one request in flight."""
    until_s = time.monotonic() + STEP_S
    counts, failures = [0] * clients, list[str]()

    def run(place: int) -> None:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        turn = place
        try:
            while time.monotonic() < until_s and not failures:
                body = bodies[turn % len(bodies)]
                connection.request("POST", "/v1/predict", body, HEADERS)
                response = connection.getresponse()
                answer = response.read()
                if response.status != 200:
                    failures.append(f"{response.status} {answer.decode(errors='replace')}")
                counts[place] += 1
                turn += 1
        except (OSError, HTTPException) as error:
            failures.append(str(error) or type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if failures:
        raise BertlineError(f"the server could not be measured, because it did not answer a request: {failures[0]}")
    return sum(counts) / STEP_S
