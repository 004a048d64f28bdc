"""What being guarded and seen costs: the bare server and the guarded one, both warm, loaded in turn.

    python -m benchmarks.serve_guarded

Each is offered a third more than it can do, so what it answers is its capacity; windows alternate, the first of a pair
by turns, and the ratio of each pair is what counts: a machine that is slower for a while is so for both. Writes the
section "guarded" of docs/serving.json, from which the page is made.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any

from benchmarks.parts import models
from benchmarks.parts.machine import describe
from benchmarks.parts.serve_kept import Kept
from benchmarks.parts.serve_modes import Bench, settle
from benchmarks.serve import RAW, write_pages
from benchmarks.servers import steps
from benchmarks.servers.contestants import ENGINE
from benchmarks.servers.guarded import bare, collector, guarded
from benchmarks.servers.process import Server, allow_many_files
from bertline.bundle import load

TRIED_PER_S, TOO_MUCH = 400.0, 1.3


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a window, after 2 s of warm-up")
    given = parser.parse_args()
    allow_many_files()
    bundle, busy = models.teacher("rt", 0), os.getloadavg()[0]
    key = {"seconds": given.seconds, "bundle": load(bundle).version, "engine": ENGINE}
    bench = Bench(bundle, Kept(key), given.seconds, 0)
    with collector() as (url, sizes):
        with_all, without = guarded(url), bare()
        with (
            bench.serving(without, without.settings[0]) as plain,
            bench.serving(with_all, with_all.settings[0]) as full,
        ):
            found = measure(bench, plain, full, given.pairs)
        time.sleep(1)
    found |= {"machine": describe(), "load_before": round(busy, 2), "spans_bytes": sum(sizes), "seconds": given.seconds}
    record: dict[str, Any] = json.loads(RAW.read_text(encoding="utf-8"))
    record["guarded"] = found
    RAW.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_pages(record)


def measure(bench: Bench, plain: Server, full: Server, pairs: int) -> dict[str, Any]:
    """Capacity of both, pair by pair."""
    offered = TOO_MUCH * _answers(bench, plain, TRIED_PER_S, 0)
    rates: list[list[float]] = []
    for pair in range(pairs):
        order = (plain, full) if pair % 2 == 0 else (full, plain)
        found = {server.port: _answers(bench, server, offered, pair) for server in order}
        rates.append([found[plain.port], found[full.port]])
        print(f"  bare {rates[-1][0]:.1f}/s, guarded {rates[-1][1]:.1f}/s", flush=True)
    ratios = [one[1] / one[0] for one in rates]
    print(f"guarded and watched: {statistics.median(ratios):.1%} of bare", flush=True)
    return {"offered_per_s": offered, "rates": rates, "ratio": statistics.median(ratios), "ratios": ratios}


def _answers(bench: Bench, server: Server, offered: float, seed: int) -> float:
    settle(server)
    return steps.run(bench.plan(server, offered, bench.seconds, seed=seed, limit_s=5.0)).answers_per_s


if __name__ == "__main__":
    main()
