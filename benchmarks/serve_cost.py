"""What a request costs the server, and what share of the engine's rate is served.

    make bench ONLY=serve_cost
    python -m benchmarks.serve_cost BUNDLE --source ../before/src --source src --pairs 5

One sentence a request from wrk, 16 connections. The figure is the server process's CPU time (user and system, from the
kernel, without its workers) divided by its answers: other load on the machine moves it little. Sources and modes
alternate within a pair, for each engine of the bundle: bare, guarded, and stored, which keeps predictions in SQLite. A
separate run of the last source, sampled by CPU time (``servers.sampled``), says which part of the server took which
share.

The served share, of the last source: the most answers per second of ``--connections`` clients whose p99 is at most
200 ms, as a part of what the engine does offline with the same sentences.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.parts import models
from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import TASKS
from benchmarks.servers import guarded
from bertline.inference import load_predictor

CONNECTIONS, SEED_TEXTS, LATEST_MS = 16, 1_000, 200.0
SHARED = (16, 32, 48, 64, 96, 128)  # numbers of connections of the served share
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
OUT = Path("build/benchmarks/cost")
BARE = ("--logs-level", "warning")
LUA = """
local n = %d
local bodies = {%s}
local headers = {["Content-Type"] = "application/json"%s}
function request() n = n %% #bodies + 1; return wrk.format("POST", "%s", headers, bodies[n]) end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"answers": %%d, "bad": %%d, "seconds": %%.3f, "p99_ms": %%.2f, "p50_ms": %%.2f}\\n',
    summary.requests, e.status + e.connect + e.read + e.timeout, summary.duration / 1e6,
    latency:percentile(99) / 1e3, latency:percentile(50) / 1e3))
end
"""
MARKER = r"\u0000"
# Path and body of each hot route; the text takes the place of the marker.
ROUTES = {
    "/v1/predict": {"text": "\0"},
    "/predict": {"inputs": "\0"},
    "/embed": {"inputs": "\0"},
    "/": {"inputs": "\0"},
    "/v1/embeddings": {"input": "\0"},
}


def main() -> None:
    """Measure what the command line asks for."""
    given = arguments()
    OUT.mkdir(parents=True, exist_ok=True)
    texts = sentences(given.texts)
    found: dict[str, Any] = {"machine": describe(), "load_before": os.getloadavg()[0], "engines": {}}
    for engine in given.engine or engines(given.bundle):
        with guarded.collector() as (url, _):
            found["engines"][engine] = measure(given, engine, texts, url)
        (OUT / given.out).write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(found["engines"]))


def table(engines: Mapping[str, Any]) -> str:
    """Microseconds of the server's CPU a request by part, a row for each engine and mode."""
    rows = [(name, mode, shares) for name, one in engines.items() for mode, shares in one["parts"].items()]
    columns = sorted({part for _, _, shares in rows for part in shares})
    lines = [["engine", "mode", *columns, "all"], ["---"] * (3 + len(columns))]
    for name, mode, shares in rows:
        each = [f"{1000 * shares.get(part, 0):.0f}" for part in columns]
        lines.append([name, mode, *each, f"{1000 * sum(shares.values()):.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def measure(given: argparse.Namespace, engine: str, texts: Sequence[str], collector: str) -> dict[str, Any]:
    """One engine: costs by source, mode and route, the share of its rate, and the parts."""
    kinds = {
        "bare": (BARE, ""),
        "guarded": (guarded.flags(collector), guarded.bearer().strip()),
        "stored": (stored(), ""),
        "stored_text": ((*stored(), "--predictions-text"), ""),
    }
    costs: dict[str, list[float]] = {}
    ways = [(source, mode) for mode in given.mode for source in given.source]
    for pair in range(given.pairs):
        for source, mode in ways[:: 1 if pair % 2 == 0 else -1]:
            flags, header = kinds[mode]
            with serving(given.bundle, engine, source, flags) as (port, pid):
                for route in given.route:
                    load(port, route, texts, header, 2.0)
                    began = cpu_s(pid)
                    got = load(port, route, texts, header, given.seconds)
                    if got["bad"]:
                        raise SystemExit(f"{source} gave {got['bad']:.0f} bad answers to {route}")
                    key = f"{source} {mode} {route}"
                    costs.setdefault(key, []).append(1000 * (cpu_s(pid) - began) / got["answers"])
                    print(f"{engine} {key}: {costs[key][-1]:.3f} ms, {got['answers'] / got['seconds']:.0f}/s, "
                          f"p50 {got['p50_ms']:.1f} ms, p99 {got['p99_ms']:.1f} ms", flush=True)  # fmt: skip
    found: dict[str, Any] = {
        "cpu_ms": {key: {"median": statistics.median(all), "all": all} for key, all in costs.items()}
    }
    if given.share:
        offline = offline_per_s(given.bundle, engine, texts)
        found["offline_per_s"] = offline
        found["served"] = {mode: served(given, engine, texts, *kinds[mode], offline) for mode in given.mode}
    found["parts"] = {mode: parts(given, engine, texts, *kinds[mode]) for mode in given.mode} if given.parts else {}
    return found


def stored() -> tuple[str, ...]:
    """The flags of a server that keeps predictions in a new file."""
    for part in OUT.glob("predictions.db*"):
        part.unlink()
    return (*BARE, "--predictions-url", f"sqlite:///{(OUT / 'predictions.db').absolute()}")


def served(
    given: argparse.Namespace, engine: str, texts: Sequence[str], flags: Sequence[str], header: str, offline: float
) -> dict[str, Any]:
    """Rates and p99 of the first route by number of connections, and the best share within ``LATEST_MS``."""
    steps: list[dict[str, float]] = []
    with serving(given.bundle, engine, given.source[-1], flags) as (port, _):
        for connections in given.connections:
            load(port, given.route[0], texts, header, 2.0, connections)
            got = load(port, given.route[0], texts, header, given.seconds, connections)
            steps.append(
                {"connections": connections, "per_s": got["answers"] / got["seconds"], "p99_ms": got["p99_ms"]}
            )
    share = max((one["per_s"] for one in steps if one["p99_ms"] <= LATEST_MS), default=0.0) / offline
    each = ", ".join(f"{one['connections']}: {one['per_s']:.0f}/s, p99 {one['p99_ms']:.0f} ms" for one in steps)
    print(f"{engine}: offline {offline:.0f}/s; connections {each}; share {share:.1%}", flush=True)
    return {"steps": steps, "share": share}


def parts(
    given: argparse.Namespace, engine: str, texts: Sequence[str], flags: Sequence[str], header: str
) -> dict[str, float]:
    """Milliseconds of CPU by part of the server, of a request of the first route."""
    out = (OUT / "samples.json").absolute()
    with serving(given.bundle, engine, given.source[-1], flags, sample=out) as (port, pid):
        load(port, given.route[0], texts, header, 2.0)
        os.kill(pid, signal.SIGUSR1)
        began = cpu_s(pid)
        got = load(port, given.route[0], texts, header, given.seconds)
        total_ms = 1000 * (cpu_s(pid) - began) / got["answers"]
    samples = json.loads(out.read_text(encoding="utf-8"))
    count = sum(samples["parts"].values())
    shares = {name: total_ms * number / count for name, number in samples["parts"].items()}
    print("  ".join(f"{name} {ms:.3f}" for name, ms in sorted(shares.items(), key=lambda one: -one[1])), flush=True)
    return shares


@contextmanager
def serving(
    bundle: Path, engine: str, source: str, flags: Sequence[str], sample: Path | None = None
) -> Iterator[tuple[int, int]]:
    """A server from a source tree: its port and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = (
        ["-m", "benchmarks.servers.sampled", str(sample)]
        if sample
        else ["-c", "from bertline.cli.main import main; main()"]
    )
    command = [sys.executable, *run, "serve", str(bundle), "--port", str(port), "--engine", engine, "--drain-s", "0"]
    environment = {**os.environ, "PYTHONPATH": f"{Path(source).absolute()}:{Path.cwd()}"}
    with (OUT / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, *flags], stdout=log, stderr=log, env=environment)
    try:
        _wait(process, port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if b" 200 " in probe.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"the server did not start: see {OUT / 'server.log'}")


def load(
    port: int, route: str, texts: Sequence[str], header: str, seconds: float, connections: int = CONNECTIONS
) -> dict[str, float]:
    """What wrk measured of one route."""
    bodies = ",".join(
        f"[=[{json.dumps(ROUTES[route]).replace(chr(92) + 'u0000', json.dumps(text)[1:-1])}]=]" for text in texts
    )
    name, _, value = header.partition(": ")
    more = f', ["{name}"] = "{value}"' if header else ""
    script = OUT / "load.lua"
    script.write_text(LUA % (0, bodies, more, route), encoding="utf-8")
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{round(seconds)}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"^{.*}$", output, re.MULTILINE)
    assert match, output
    measured: dict[str, float] = json.loads(match[0])
    return measured


def cpu_s(pid: int) -> float:
    """User and system time of a process, without its children."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


def offline_per_s(bundle: Path, engine: str, texts: Sequence[str]) -> float:
    """Sentences per second of the engine that has all of them, the better of three passes after one."""
    predictor = load_predictor(bundle, engine=engine)
    rates = []
    for _ in range(4):
        began = time.perf_counter()
        predictor.predict(texts)
        rates.append(len(texts) / (time.perf_counter() - began))
    return max(rates[1:])


def engines(bundle: Path) -> list[str]:
    """Names of the bundle's engines."""
    manifest = json.loads((bundle / "bertline.json").read_text(encoding="utf-8"))
    return [one["name"] for one in manifest["engines"]]


def sentences(path: Path | None) -> list[str]:
    """The first sentences of a table's column ``text``."""
    with (path or TASKS["rt"]().test).open(encoding="utf-8", newline="") as stream:
        return [row["text"] for row in csv.DictReader(stream)][:SEED_TEXTS]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", help="without it, the teacher of the engine benchmark")
    parser.add_argument("--source", action="append", help="source tree to measure; may be given several times")
    parser.add_argument("--engine", action="append")
    parser.add_argument("--mode", action="append", choices=("bare", "guarded", "stored", "stored_text"))
    parser.add_argument("--route", action="append", choices=[*ROUTES])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument(
        "--connections", type=int, action="append", help="of the served share; may be given several times"
    )
    parser.add_argument("--texts", type=Path, help="CSV file with a column text; Rotten Tomatoes' test rows without it")
    parser.add_argument("--out", default="cost.json", help="file name of the figures")
    parser.add_argument("--no-share", dest="share", action="store_false")
    parser.add_argument("--no-parts", dest="parts", action="store_false")
    given = parser.parse_args()
    given.source, given.mode = given.source or ["src"], given.mode or ["bare", "guarded"]
    given.route, given.connections = given.route or ["/v1/predict"], given.connections or [*SHARED]
    given.bundle = given.bundle or models.teacher("rt", 0)
    return given


if __name__ == "__main__":
    main()
