"""Our server and the ones people would pick instead, under the same load: one bundle, one engine, real texts.

    make bench ONLY=serve
    make bench ONLY=serve ARGS="--only peers --servers bertline,litserve --seconds 5"

Load is open-loop: Poisson arrivals by a seed, one text per request, latency from the scheduled time (``servers.load``).

- peers: what each server sustains at p99 ≤ 200 ms and what it can do at most, its best setting chosen first.
- overhead: the engine alone, all texts at once and one at a time, against one request at a time over a connection.
- overload: ten times the capacity for a minute; how much of the capacity is left as good answers.
- soak: 80 % of what is sustained for ``--minutes``; whether the memory grows.

Figures are kept in build/benchmarks/serve under the step length and the bundle, so that an interrupted run goes on;
``--again`` measures anew. Writes docs/serving.json, docs/serving.md and docs/serving.svg.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import models, serve_page, serve_picture
from benchmarks.parts.serve_kept import Kept, Record
from benchmarks.parts.serve_modes import Bench, overhead, overload, peers, soak
from benchmarks.servers.contestants import CONTESTANTS, ENGINE
from benchmarks.servers.process import ServerError, allow_many_files
from bertline.bundle import load

RAW, PAGE, PICTURE = Path("docs/serving.json"), Path("docs/serving.md"), Path("docs/serving.svg")
QUIET_LOAD = 0.3  # of the minute before: above, others take part of what is measured
SOAKED = ("bertline",)
MODES: dict[str, Callable[[Bench, str], Record]] = {
    "peers": peers,
    "overhead": overhead,
    "overload": overload,
    "soak": soak,
}


def main() -> None:
    """Measure what is asked for and write the page."""
    given = arguments()
    record: dict[str, Any] = json.loads(RAW.read_text(encoding="utf-8")) if RAW.exists() else {}
    if not given.no_run:
        if (busy := os.getloadavg()[0]) > QUIET_LOAD:
            print(f"this machine is busy (load {busy:.2f}): what is measured now is worth little", flush=True)
        allow_many_files()
        bundle = models.teacher("rt", 0)
        key = {"seconds": given.seconds, "bundle": load(bundle).version, "engine": ENGINE}
        bench = Bench(bundle, Kept(key, given.again), given.seconds, given.minutes)
        for mode in MODES if given.only is None else (given.only,):
            for name in given.servers or (SOAKED if mode == "soak" else CONTESTANTS):
                print(f"{mode}: {name}", flush=True)
                try:
                    record.setdefault(mode, {})[name] = MODES[mode](bench, name)
                except ServerError as error:
                    print(f"  {name} is left out: {error}", flush=True)
                RAW.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_pages(record)


def write_pages(record: dict[str, Any]) -> None:
    """The page and its picture, from the raw figures."""
    if record.get("peers"):
        PICTURE.write_text(serve_picture.picture(record["peers"]) + "\n", encoding="utf-8")
    if record:
        PAGE.write_text(serve_page.page(record), encoding="utf-8")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(MODES))
    parser.add_argument("--seconds", type=float, default=10.0, help="of a step, after 2 s of warm-up")
    parser.add_argument("--minutes", type=float, default=15.0, help="of the soak")
    parser.add_argument("--servers", type=_servers, help=f"some of {','.join(CONTESTANTS)}; all without it")
    parser.add_argument("--again", action="store_true", help="measure also what is kept")
    parser.add_argument("--no-run", action="store_true", help="only write the page, from the figures that there are")
    return parser.parse_args(given)


def _servers(given: str) -> tuple[str, ...]:
    names = tuple(given.split(","))
    if unknown := [one for one in names if one not in CONTESTANTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is not a server here: there are {', '.join(CONTESTANTS)}")
    return names


if __name__ == "__main__":
    main()
