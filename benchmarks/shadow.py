"""What a shadow costs the champion: latencies with and without one that computes all requests, side by side.

    make bench ONLY=shadow ARGS="CHAMPION CHALLENGER"
    python -m benchmarks.shadow CHAMPION CHALLENGER --pairs 7 --connections 1 4 16

One server with both bundles. In each pair wrk sends one sentence a request for some seconds without a shadow and for as
long with one, in alternating order. The figure is the ratio of the two p99; the medians are over pairs. How many
requests the shadow computed and how many it dropped is counted by the server.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.parts.machine import describe
from benchmarks.serve_cost import OUT, SEED_TEXTS, load, sentences, serving

SETTLED = {"min_requests": 10**9, "least_agreement": 0.0}  # a shadow that goes on until it is ended


def main() -> None:
    """Measure, and print a table."""
    given = arguments()
    OUT.mkdir(parents=True, exist_ok=True)
    texts = sentences(given.texts)[:SEED_TEXTS]
    print(json.dumps(describe()))
    with serving(given.champion, given.engine, "src", ("--logs-level", "warning")) as (port, _):
        (name,) = [one["name"] for one in httpx.get(f"http://127.0.0.1:{port}/v1/models").json()["models"]]
        route = f"http://127.0.0.1:{port}/v1/models/{name}"
        load(port, "/v1/predict", texts, "", 3, 4)  # warm
        for connections in given.connections:
            pairs = [measure(port, route, given, texts, connections, number) for number in range(given.pairs)]
            print(line(connections, pairs), flush=True)


def measure(
    port: int, route: str, given: argparse.Namespace, texts: Sequence[str], connections: int, number: int
) -> dict[str, Any]:
    """One pair: without and with, in alternating order."""
    pair: dict[str, Any] = {}
    for kind in ("without", "with") if number % 2 == 0 else ("with", "without"):
        if kind == "with":
            body = {"bundle": str(given.challenger.absolute()), "plan": SETTLED}
            httpx.post(f"{route}/shadow", json=body, timeout=120).raise_for_status()
        pair[kind] = load(port, "/v1/predict", texts, "", given.seconds, connections)
        if kind == "with":
            pair["counts"] = httpx.get(f"{route}/rollout").json()["counts"]
            httpx.delete(f"{route}/rollout").raise_for_status()
    return pair


def line(connections: int, pairs: Sequence[dict[str, Any]]) -> str:
    """The medians of some pairs."""
    told = [f"{connections:3} connections"]
    for figure in ("p50_ms", "p99_ms"):
        without, with_ = (statistics.median(one[kind][figure] for one in pairs) for kind in ("without", "with"))
        ratios = sorted(one["with"][figure] / one["without"][figure] for one in pairs)
        told.append(
            f"{figure} {without:.1f} → {with_:.1f}, ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )
    answers = [sum(one[kind]["answers"] for one in pairs) for kind in ("without", "with")]
    computed, dropped = (sum(one["counts"][key] for one in pairs) for key in ("compared", "dropped"))
    bad = sum(one[kind]["bad"] for one in pairs for kind in ("without", "with"))
    told.append(f"answers {answers[0]:.0f} and {answers[1]:.0f}, shadow computed {computed}, dropped {dropped}")
    return "; ".join([*told, f"bad {bad:.0f}"])


def arguments() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("champion", type=Path)
    parser.add_argument("challenger", type=Path)
    parser.add_argument("--engine", default="fp32")
    parser.add_argument("--texts", type=Path, help="a table with a column text; default: Rotten Tomatoes")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each half of a pair")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
