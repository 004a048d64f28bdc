"""What explanations cost the predictions beside them: latencies with and without a client that explains, side by side.

    make bench ONLY=serve_explaining ARGS=BUNDLE
    python -m benchmarks.serve_explaining BUNDLE --pairs 7 --connections 1 4

One server. In each pair wrk sends one sentence a request for some seconds without explanations and for as long while a
client asks for one explanation after another, in alternating order. The figure is the ratio of the two p99; the medians
are over pairs. The load of the machine is printed, because it decides what a p99 means.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from benchmarks.parts.machine import describe
from benchmarks.serve_cost import OUT, SEED_TEXTS, load, sentences, serving


@contextmanager
def explaining(port: int, texts: Sequence[str], budget: int) -> Iterator[list[int]]:
    """A client that explains one text after another until the block ends; the status of each answer."""
    done, statuses = threading.Event(), list[int]()

    def ask() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for text in cycle(texts):
                if done.is_set():
                    return
                statuses.append(client.post("/v1/explain", json={"text": text, "budget": budget}).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


def measure(port: int, given: argparse.Namespace, texts: Sequence[str], connections: int, number: int) -> Any:
    """One pair: without and with, in alternating order."""
    pair: dict[str, Any] = {"statuses": []}
    for kind in ("without", "with") if number % 2 == 0 else ("with", "without"):
        if kind == "without":
            pair[kind] = load(port, "/v1/predict", texts, "", given.seconds, connections)
            continue
        with explaining(port, texts[::-1], given.budget) as statuses:
            pair[kind] = load(port, "/v1/predict", texts, "", given.seconds, connections)
        pair["statuses"] = statuses
    return pair


def line(connections: int, pairs: Sequence[dict[str, Any]]) -> str:
    """The medians of some pairs."""
    parts = [f"{connections:3} connections"]
    for figure in ("p50_ms", "p99_ms"):
        without, beside = (statistics.median(one[kind][figure] for one in pairs) for kind in ("without", "with"))
        ratios = sorted(one["with"][figure] / one["without"][figure] for one in pairs)
        parts.append(
            f"{figure} {without:.1f} → {beside:.1f}, ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )
    answers = [sum(one[kind]["answers"] for one in pairs) for kind in ("without", "with")]
    statuses = [status for one in pairs for status in one["statuses"]]
    bad = sum(one[kind]["bad"] for one in pairs for kind in ("without", "with"))
    explained = f"explained {statuses.count(200)}, refused {len(statuses) - statuses.count(200)}"
    load_now = f"load {os.getloadavg()[0]:.1f}"
    return "; ".join([*parts, f"answers {answers[0]:.0f} and {answers[1]:.0f}, {explained}, bad {bad:.0f}", load_now])


def main() -> None:
    """Measure, and print a line for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--engine", default="fp32")
    parser.add_argument("--texts", type=Path, help="a table with a column text; default: Rotten Tomatoes")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each half of a pair")
    parser.add_argument("--budget", type=int, default=200, help="answers of the model for each explanation")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4])
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    texts = sentences(given.texts)[:SEED_TEXTS]
    print(describe())
    with serving(given.bundle, given.engine, "src", ("--logs-level", "warning")) as (port, _):
        load(port, "/v1/predict", texts, "", 3, 4)  # warm
        for connections in given.connections:
            pairs = [measure(port, given, texts, connections, number) for number in range(given.pairs)]
            print(line(connections, pairs), flush=True)


if __name__ == "__main__":
    sys.exit(main())
