"""What ``bertline plan`` predicts, against what the server then shows: throughput, median and p99 at three loads.

    make bench ONLY=plan
    python -m benchmarks.plan BUNDLE --engine int8 --repetitions 5

The server, and the measuring that the prediction is made from, run on core 0; the load generator (``servers.load``,
open-loop, Poisson) runs on core 1. As root they go before other programs (nice −15 of the session, the generator in
real time). Each repetition measures anew and then tries the loads in another order, so that a neighbour that comes or
goes disturbs both sides. Two things tell why a p99 is not as predicted: a simulation of the very arrivals that were
sent (where the core is 94 % busy, the p99 of 30 s varies by a tenth with them alone), and how busy the server kept the
core, beside what others took of it. Writes docs/plan.json and docs/plan.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.parts import models
from benchmarks.parts.machine import describe
from benchmarks.servers.load import Answers
from benchmarks.servers.load import Plan as Sending
from bertline.deploy.capacity.measure import measure
from bertline.deploy.capacity.processes import children, cpu_s
from bertline.deploy.capacity.sample import Sample, read_sample
from bertline.deploy.capacity.server_cost import running
from bertline.deploy.capacity.simulation import Limits, simulate
from bertline.deploy.capacity.sizing import Load, Sizer
from bertline.service.settings import ServeSettings

RAW, PAGE = Path("docs/plan.json"), Path("docs/plan.md")
SERVER_CORE, GENERATOR_CORE = 0, 1
SHARES = (0.3, 0.6, 0.8)  # of the rate at which the simulated p99 reaches P99_MS
P99_MS = 100.0
HALVINGS = 7
WITHIN = 0.2  # aim for shown ÷ predicted
WARM_S = 3.0
NICE = -15
REAL_TIME = ("chrt", "--fifo", "1") if os.geteuid() == 0 else ()  # or the generator is late, which counts as latency
AUTOGROUP = Path("/proc/self/autogroup")  # Linux shares the processor among sessions first, and then among processes
REQUESTS = 20_000  # of a simulation
FIGURES = ("throughput", "p50_ms", "p99_ms")

INTRODUCTION = """\
# Capacity, predicted and shown

`bertline plan` measures a model and predicts what a server does under load
([how](guide/deploy/plan.md#how-it-predicts)). Here the prediction is made, and then the server gets that load: the test
rows of Rotten Tomatoes, one a request, Poisson arrivals, whatever the server does; latency from the scheduled time. The
server and the measuring have core 0, the generator core 1. The loads are 30, 60 and 80 % of the rate that the core is
predicted to answer with a p99 of 100 ms. Every repetition measures anew, then tries the loads in another order; figures
are medians over the repetitions, in brackets the range of shown ÷ predicted. "Same arrivals" is the p99 of a
simulation of the times at which the generator sent. The core is busy with the server and its worker; "others" is what
anything else took of it. `make bench ONLY=plan` measures it again
([raw figures](plan.json)).
"""
COLUMNS = (
    "load", "requests/s offered", *(f"{one}, predicted · shown" for one in ("answers/s", "p50 ms", "p99 ms")),
    "p99 ms, same arrivals", "core busy, predicted · shown · others",
)  # fmt: skip


def main() -> None:
    """Measure what the command line asks for and write the page."""
    given = arguments()
    record: dict[str, Any] = json.loads(RAW.read_text(encoding="utf-8")) if RAW.exists() else {}
    if not given.no_run:
        bundle = given.bundle or models.teacher("rt", 0)
        os.sched_setaffinity(0, {SERVER_CORE})
        with suppress(OSError):  # not root, or a kernel that groups no sessions
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
            AUTOGROUP.write_text(f"{NICE}\n", encoding="ascii")
        sample = read_sample(bundle, None)
        record |= {"machine": describe(), "date": datetime.now(UTC).date().isoformat()}
        for engine in given.engine or sample.engines:
            runs = [repetition(bundle, engine, sample, given, number) for number in range(given.repetitions)]
            record.setdefault("engines", {})[engine] = {"load_before": os.getloadavg()[0], "runs": runs}
            RAW.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(record), encoding="utf-8")


def repetition(
    bundle: Path, engine: str, sample: Sample, given: argparse.Namespace, number: int
) -> list[dict[str, Any]]:
    """Predicted and shown at each load."""
    (times,) = measure(bundle, [engine], sample, given.measure_s, lambda _: None)
    limits = ServeSettings()
    load = Load(sample.requests, math.inf, "poisson", Limits(limits.max_wait_ms / 1000, 30.0), REQUESTS)
    sizer = Sizer(times, 1, load)
    most = sustained(sizer)
    rates = {share: share * most for share in SHARES}
    found = []
    with running(bundle, engine) as (server, port):
        for share in random.Random(number).sample(SHARES, len(SHARES)):
            use = CoreUse(server.pid)
            shown, arrivals_s = generate(port, sample.bodies, rates[share], given.seconds, seed=10 * number)
            used = use.shares()
            same = simulate(
                times,
                replicas=1,
                cores=1,
                arrivals_s=arrivals_s,
                requests=sample.requests,
                limits=load.limits,
                seed=number,
            )
            seen = sizer.outcome(1, rates[share])
            predicted = dict(zip(FIGURES, (seen.per_s, seen.quantile_ms(0.5), seen.quantile_ms(0.99)), strict=True))
            row = {
                "share": share,
                "rate_per_s": rates[share],
                "predicted": predicted,
                "shown": shown,
                "busy": seen.busy,
                "same_arrivals_p99_ms": same.quantile_ms(0.99),
                "used": used,
            }
            print(engine, json.dumps(row), flush=True)
            found.append(row)
    return found


class CoreUse:
    """What is used of the server's core from now on.

    Args:
        pid: of the server; its workers count too.
    """

    def __init__(self, pid: int) -> None:
        self._pids = (pid, *children(pid))
        self._before = self._now()

    def shares(self) -> dict[str, float]:
        """Shares of the time since then: the server with its workers, and everything else, stolen time included."""
        wall_s, busy_s, own_s = (now - then for now, then in zip(self._now(), self._before, strict=True))
        return {"own": own_s / wall_s, "others": max(0.0, busy_s - own_s) / wall_s}

    def _now(self) -> tuple[float, float, float]:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        ticks = next(line for line in lines if line.startswith(f"cpu{SERVER_CORE} ")).split()[1:9]
        total, idle = sum(map(int, ticks)), int(ticks[3]) + int(ticks[4])
        return time.monotonic(), (total - idle) / os.sysconf("SC_CLK_TCK"), sum(map(cpu_s, self._pids))


def sustained(sizer: Sizer) -> float:
    """The highest rate that one replica is predicted to answer within ``P99_MS`` (p99), by bisection."""
    low, high = 0.0, sizer.capacity
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if sizer.outcome(1, middle).quantile_ms(0.99) <= P99_MS else (low, middle)
    return low


def generate(
    port: int, bodies: Sequence[str], rate: float, seconds: float, seed: int
) -> tuple[dict[str, float], list[float]]:
    """What the generator on the other core saw after the warm-up, and when it sent."""
    plan = Sending(port, "/v1/predict", list(bodies), rate, WARM_S + seconds, seed)
    command = ["taskset", "-c", str(GENERATOR_CORE), *REAL_TIME, sys.executable, "-m", "benchmarks.servers.load"]
    done = subprocess.run(command, input=json.dumps(asdict(plan)), capture_output=True, text=True, check=True)
    answers = Answers(**json.loads(done.stdout))
    rows = zip(answers.scheduled_s, answers.latency_ms, answers.status, strict=True)
    window = [(at, ms if status == 200 else math.inf) for at, ms, status in rows if at >= WARM_S]
    ordered = sorted(ms for _, ms in window)
    ended = sum(WARM_S <= at + ms / 1000 < WARM_S + seconds for at, ms in window)
    figures = {
        "throughput": ended / seconds,
        "offered_per_s": len(window) / seconds,
        "p50_ms": ordered[math.ceil(0.5 * len(ordered)) - 1],
        "p99_ms": ordered[math.ceil(0.99 * len(ordered)) - 1],
        "requests": len(window),
        "generator_lag_p99_ms": answers.lag_p99_ms,
    }
    return figures, answers.scheduled_s


def page(record: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    for engine, one in record.get("engines", {}).items():
        lines += [
            f"## {engine}\n",
            f"| {' | '.join(COLUMNS)} |",
            f"|---{'|---:' * (len(COLUMNS) - 1)}|",
        ]
        for share in SHARES:
            rows = [row for run in one["runs"] for row in run if row["share"] == share]
            cells = [*(_cell(rows, figure) for figure in FIGURES), *_why(rows)]
            offered = statistics.median(row["shown"]["offered_per_s"] for row in rows)
            lines.append(f"| {share:.0%} | {offered:.1f} | {' | '.join(cells)} |")
        lines.append(f"\n{len(one['runs'])} repetitions; load of the machine afterwards {one['load_before']:.1f}.\n")
    if record:
        lines.append(f"{verdict(record)}\n")
        lines.append(f"{record['machine']}, {record['date']}.")
    return "\n".join(lines).rstrip() + "\n"


def verdict(record: Mapping[str, Any]) -> str:
    """Which medians are further from the prediction than ``WITHIN``."""
    beyond = []
    for engine, one in record["engines"].items():
        for share in SHARES:
            rows = [row for run in one["runs"] for row in run if row["share"] == share]
            busy = statistics.median(row["busy"] for row in rows)
            for figure in FIGURES:
                middle = statistics.median(ratio(row, figure) for row in rows)
                if abs(middle - 1) > WITHIN:
                    name = figure.removesuffix("_ms")
                    beyond.append(f"{name} of {engine} at {share:.0%} ({middle:.2f}, core {busy:.0%} busy)")
    return f"Medians of shown ÷ predicted beyond ±{WITHIN:.0%}: {'; '.join(beyond) or 'none'}."


def _cell(rows: Sequence[Mapping[str, Any]], figure: str) -> str:
    predicted, shown = (statistics.median(row[side][figure] for row in rows) for side in ("predicted", "shown"))
    ratios = [ratio(row, figure) for row in rows]
    return f"{predicted:.1f} · {shown:.1f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _why(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The p99 of the same arrivals, with the range of shown to it, and the use of the core."""
    if not all("used" in row for row in rows):
        return "–", "–"
    same = [row["same_arrivals_p99_ms"] for row in rows]
    ratios = [row["shown"]["p99_ms"] / one for row, one in zip(rows, same, strict=True)]
    shares = [
        statistics.median(each)
        for each in zip(*((row["busy"], row["used"]["own"], row["used"]["others"]) for row in rows), strict=True)
    ]
    return (
        f"{statistics.median(same):.1f} ({min(ratios):.2f} to {max(ratios):.2f})",
        " · ".join(f"{one:.0%}" for one in shares),
    )


def ratio(row: Mapping[str, Any], figure: str) -> float:
    """Shown ÷ predicted; the throughput as a part of what was offered, which chance makes more or less than asked."""
    scale = row["rate_per_s"] / row["shown"]["offered_per_s"] if figure == "throughput" else 1.0
    return float(scale * row["shown"][figure] / row["predicted"][figure])


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", help="without it, the teacher of the engine benchmark")
    parser.add_argument("--engine", action="append")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a load, after the warm-up")
    parser.add_argument("--measure-s", type=float, default=8.0, help="of measuring, in each repetition")
    parser.add_argument("--no-run", action="store_true", help="only write the page, from the figures that there are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
