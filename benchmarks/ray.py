"""What a Ray cluster adds to the time of a large table, and how many workers are worth it.

    make bench ONLY=ray                                  needs Ray: tools/ray.sh
    python -m benchmarks.ray BUNDLE --rows 8192 24576

Film sentences, answered by one process and by the workers of a local cluster, each with one core and one thread. Two
lengths of table tell what a run costs once (the start of the cluster and the workers) from what each row costs. More
workers than cores are simulated: the scheduler that real runs have, with a clock of its own and the times that were
measured. Writes docs/ray.md.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.parts import models
from benchmarks.parts.machine import describe
from bertline.bundle.verify import read_manifest
from bertline.distributed.run import Crew
from bertline.inference.label_tally import LabelTally
from bertline.machine.ray_cluster import connect
from examples import rotten_tomatoes

PAGE = Path("docs/ray.md")
HOUR_S = 3_600.0
JOB_S = 8 * HOUR_S  # of one worker, for the curve
SHARD_ROWS = 4_096
WORKERS = (1, 2, 4, 8, 16, 32, 48, 64)
KINDS = {"one process": (), "Ray, one worker": (1,), "Ray, two workers": (2,)}


@dataclass(frozen=True)
class Line:
    """Seconds of a run as a straight line over its rows."""

    once_s: float
    row_s: float

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> Line:
        """The line of two measurements, each rows and seconds."""
        row_s = (many[1] - few[1]) / (many[0] - few[0])
        return cls(few[1] - few[0] * row_s, row_s)

    def seconds(self, rows: float) -> float:
        """Of a run over so many rows."""
        return self.once_s + self.row_s * rows


def table(folder: Path, rows: int) -> Path:
    """A table of so many sentences; they repeat, which changes nothing: each is computed."""
    path = folder / f"{rows}.csv"
    texts = itertools.islice(itertools.cycle(text for text, _ in rotten_tomatoes.sentences()), rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text",), *((text,) for text in texts)])
    return path


def timed(bundle: Path, source: Path, workers: tuple[int, ...]) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, "-m", "bertline.cli.main", "predict", str(bundle), "--input", str(source)]
    flags = [flag for number in workers for flag in ("--ray", "local", "--workers", str(number))]
    shards = ["--shard-rows", str(SHARD_ROWS)] if workers else []
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        done = subprocess.run(
            [*command, "--output", f"{out}/out.csv", *flags, *shards],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=None if workers else _on_one_core,
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(done.args)}: {done.stderr[-2000:]}")
    return seconds


def _on_one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measured(bundle: Path, rows: Sequence[int], repetitions: int) -> dict[str, list[Line]]:
    """A line for each kind and repetition, all kinds in turn."""
    found: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        few, many = (table(Path(folder), number) for number in rows)
        for repetition in range(repetitions):
            for kind, workers in KINDS.items():
                seconds = [timed(bundle, source, workers) for source in (few, many)]
                found[kind].append(Line.through(*zip(rows, seconds, strict=True)))
                print(f"{repetition + 1} {kind}: {seconds[0]:.1f} s, {seconds[1]:.1f} s", flush=True)
    return found


class Nothing:
    """What a worker holds that does nothing."""

    def ready(self) -> None:
        """Answer."""


@dataclass(frozen=True)
class Costs:
    """Of a cluster.

    Attributes:
        cluster_s: until it runs.
        worker_s: until a worker answers, imports included; its model is loaded with its first rows.
        call_s: of a call that does nothing.
    """

    cluster_s: float
    worker_s: float
    call_s: float

    @classmethod
    def measure(cls) -> Costs:
        """Of a local cluster."""
        began = time.perf_counter()
        with connect("local") as cluster:
            cluster_s = time.perf_counter() - began
            began = time.perf_counter()
            worker = cluster.start(Nothing, cores=1)
            worker.call("ready").result()
            worker_s = time.perf_counter() - began
            calls = []
            for _ in range(200):
                began = time.perf_counter()
                worker.call("ready").result()
                calls.append(time.perf_counter() - began)
            worker.stop()
        return cls(cluster_s, worker_s, statistics.median(calls))


@dataclass
class Virtual:
    """A cluster with a clock of its own: workers take the measured times, and the driver one call after the other."""

    costs: Costs
    shard_s: Callable[[int], float]
    now_s: float = 0.0
    ends: dict[Any, float] = field(default_factory=dict)

    def start(self, factory: Any, *arguments: Any, cores: float) -> VirtualWorker:
        """A worker."""
        return VirtualWorker(self)

    def first(self, calls: Sequence[Any], timeout_s: float) -> list[Any]:
        """Go to the time at which the next of the calls ends."""
        self.now_s = max(self.now_s, min(self.ends[call] for call in calls)) + self.costs.call_s
        return [call for call in calls if self.ends[call] <= self.now_s]


@dataclass(eq=False)
class VirtualWorker:
    """A worker of ``Virtual``."""

    cluster: Virtual

    def call(self, method: str, *arguments: Any) -> VirtualCall:
        """Ends when the measured time is over."""
        one = VirtualCall(self)
        takes_s = self.cluster.costs.worker_s if method == "ready" else self.cluster.shard_s(*arguments)
        self.cluster.ends[one] = self.cluster.now_s + takes_s
        return one

    def stop(self) -> None:
        """Nothing."""


@dataclass(eq=False)
class VirtualCall:
    """A call of a worker of ``Virtual``."""

    worker: VirtualWorker

    def result(self) -> LabelTally:
        """Nothing was answered."""
        return LabelTally()


def simulated(costs: Costs, row_s: float, spread: float, workers: int, seed: int) -> float:
    """Seconds of a job of ``JOB_S`` for one worker, by so many; shards vary by ``spread`` of their mean."""
    shards = max(round(JOB_S / row_s / SHARD_ROWS), 4 * workers)
    each_s, rng = JOB_S / shards, np.random.default_rng(seed)
    times = each_s * np.maximum(0.2, rng.normal(1.0, spread, shards))
    virtual = Virtual(costs, lambda number: float(times[number - 1]), now_s=costs.cluster_s)
    plan = SimpleNamespace(shards=[SimpleNamespace(rows=1)] * shards, name=str)
    crew = Crew(virtual, SimpleNamespace(work=None, plan=plan), 1, watch=lambda rows: None, now=lambda: virtual.now_s)  # type: ignore[arg-type]
    crew.run(range(1, shards + 1), workers)
    return virtual.now_s


def page(
    found: dict[str, list[Line]], costs: Costs, rows: Sequence[int], repetitions: int, spread: float, engine: str
) -> str:
    """The whole page; ``engine`` answered."""
    middle = {
        kind: Line(statistics.median(one.once_s for one in lines), statistics.median(one.row_s for one in lines))
        for kind, lines in found.items()
    }
    alone, one, _ = middle.values()
    hour = (HOUR_S - alone.once_s) / alone.row_s
    overhead = [
        100 * (ray.seconds(hour) / plain.seconds(hour) - 1)
        for plain, ray in zip(found["one process"], found["Ray, one worker"], strict=True)
    ]
    efficiency = [
        100 * single.row_s / pair.row_s / 2
        for single, pair in zip(found["Ray, one worker"], found["Ray, two workers"], strict=True)
    ]
    lines = [
        "# Ray, measured\n",
        "What a cluster adds to `bertline predict`, and how many workers are worth it. `make bench ONLY=ray` measures "
        f"again. Film sentences, all-MiniLM-L6-v2 ({engine}), tables of {rows[0]:,} and {rows[1]:,} rows, shards of "
        f"{SHARD_ROWS:,} rows, {repetitions} repetitions, medians. {describe()}, {date.today()}.\n",
        "| | once, s | rows/s |",
        "| --- | ---: | ---: |",
        *(f"| {kind} | {line.once_s:.1f} | {1 / line.row_s:,.0f} |" for kind, line in middle.items()),
        f"\nOverhead of one worker over one process, for a job of an hour: {statistics.median(overhead):+.1f} % "
        f"({min(overhead):+.1f} to {max(overhead):+.1f}). Two workers on two cores, driver included: "
        f"{statistics.median(efficiency):.0f} % of twice one worker's rate ({min(efficiency):.0f} to "
        f"{max(efficiency):.0f}).\n",
        f"A local cluster starts in {costs.cluster_s:.1f} s and a worker in {costs.worker_s:.1f} s; a call takes "
        f"{1000 * costs.call_s:.1f} ms.\n",
        "## Up to 64 workers, simulated\n",
        f"A job of {JOB_S / HOUR_S:g} hours of one worker. The scheduler is that of real runs; its clock takes the "
        f"times above, and shards vary by {100 * spread:.0f} %, as whole runs did. Reading from shared storage is not "
        "in it. Median of 5 draws.\n",
        "| workers | minutes | speed-up | efficiency |",
        "| ---: | ---: | ---: | ---: |",
    ]
    first = None
    for workers in WORKERS:
        seconds = statistics.median(simulated(costs, one.row_s, spread, workers, seed) for seed in range(5))
        first = first or seconds
        lines.append(
            f"| {workers} | {seconds / 60:.1f} | {first / seconds:.1f} | {100 * first / seconds / workers:.1f} % |"
        )
    return "\n".join([*lines, ""])


def spread_of_shards(found: dict[str, list[Line]]) -> float:
    """How much the time of a row varies from run to run, as a share."""
    rates = [line.row_s for line in found["Ray, one worker"]]
    return statistics.pstdev(rates) / statistics.fmean(rates) if len(rates) > 1 else 0.0


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", help="without it, the teacher of the engine benchmark")
    parser.add_argument(
        "--rows", type=int, nargs=2, default=[2 * SHARD_ROWS, 6 * SHARD_ROWS], help="whole shards for two workers"
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    bundle = arguments.bundle or models.teacher("rt", 0)
    found, engine = measured(bundle, arguments.rows, arguments.repetitions), read_manifest(bundle).engine_names[0]
    text = page(found, Costs.measure(), arguments.rows, arguments.repetitions, spread_of_shards(found), engine)
    arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
