"""A stack under load: a replica killed, a rolling upgrade, a rolling swap; the throughput of one replica and of two.

    python -m benchmarks.stack [--repetitions 3] [--seconds 20]

The stack is that of ``make stack``: nginx, PostgreSQL, Redis, Prometheus, HTTPS and API keys on this machine, the model
that of Rotten Tomatoes. 12 clients keep a request each in flight. Each replica has one core and one lane. Clients and
nginx have no core of their own, so throughput is measured with whole reviews, of which they take little. Writes
docs/stack.md.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from benchmarks.parts import models
from benchmarks.parts.machine import describe
from examples import rotten_tomatoes
from tools.stack import LocalStack, running
from tools.stack_clients import Clients, clients, percentile_ms

PAGE = Path("docs/stack.md")
IN_FLIGHT = 12
CORES = (0, 1)
LANES = {"BERTLINE_SERVE_LANES": "1"}
SETTLE_S = 3.0  # before and after an event


def sentences(number: int) -> list[str]:
    """Film sentences."""
    return [text for text, _ in rotten_tomatoes.sentences()[::40][:number]]


def reviews(number: int) -> list[str]:
    """Reviews of at least 250 words, of which 256 tokens are read."""
    some = (text for text, _ in rotten_tomatoes.imdb_reviews()[::40] if len(text.split()) >= 250)
    return list(itertools.islice(some, number))


def event(stack: LocalStack, texts: Sequence[str], happens: Callable[[], None]) -> tuple[Clients, float]:
    """What clients got before, during and after an event, and how many seconds it took."""
    with clients(stack.url, stack.authority, stack.keys["predict"], texts, IN_FLIGHT) as load:
        time.sleep(SETTLE_S)
        began_s = time.monotonic()
        happens()
        seconds = time.monotonic() - began_s
        time.sleep(SETTLE_S)
    return load, seconds


def events(folder: Path, bundle: Path, other: Path, repetitions: int) -> list[str]:
    """The rows of the table of events."""
    rows = []
    with running(folder, bundle, cores=CORES, **LANES) as stack:

        def killed() -> None:
            stack.replicas[0].stop(signal.SIGKILL)
            time.sleep(SETTLE_S)
            stack.replicas[0].start()

        for title, steps in (
            ("nothing happens", [lambda: time.sleep(2 * SETTLE_S)] * repetitions),
            ("a replica is killed with -9, and started again", [killed] * repetitions),
            ("rolling upgrade", [lambda: stack.roll(other), lambda: stack.roll(bundle)] * repetitions),
            ("rolling swap of the model", [lambda: stack.swap(other), lambda: stack.swap(bundle)] * repetitions),
        ):
            runs = [event(stack, sentences(200), step) for step in steps[:repetitions]]
            rows.append(row(title, [load for load, _ in runs], statistics.median(seconds for _, seconds in runs)))
            print(rows[-1], flush=True)
    return rows


def row(title: str, loads: Sequence[Clients], seconds: float) -> str:
    """Of the table of events: what the clients of its repetitions got."""
    p50, p99 = ([percentile_ms(one.answers, percent) for one in loads] for percent in (50, 99))
    answers, lost = sum(len(one.answers) for one in loads), sum(one.lost for one in loads)
    mixed = sum(one.mixed() for one in loads)
    times = f"{statistics.median(p50):.0f} | {statistics.median(p99):.0f} | {max(p99):.0f} | {seconds:.0f}"
    return f"| {title} | {answers:,} | {lost} | {mixed} | {times} |"


def throughput(folder: Path, bundle: Path, seconds: float, repetitions: int) -> list[str]:
    """The rows of the table of throughput: one replica and two, in turns."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as both:
        stacks = {
            number: both.enter_context(running(folder / str(number), bundle, number, CORES, **LANES))
            for number in rates
        }
        for _ in range(repetitions):
            for number, stack in stacks.items():
                with clients(stack.url, stack.authority, stack.keys["predict"], reviews(100), IN_FLIGHT) as load:
                    time.sleep(SETTLE_S)
                    began_s = time.monotonic()
                    time.sleep(seconds)
                    rates[number].append(len(load.between(began_s, began_s + seconds)) / seconds)
                assert load.lost == 0, load.refusals()
                print(number, rates[number][-1], flush=True)
    one, two = (statistics.median(rates[number]) for number in (1, 2))
    ratios = [b / a for a, b in zip(rates[1], rates[2], strict=True)]
    return [
        f"| one replica | {one:.1f} | |",
        f"| two replicas | {two:.1f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
    ]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement of throughput")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bertline-stack-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        for version, seed in (("a", 0), ("b", 1)):
            shutil.copytree(models.teacher("rt", seed), folder / version / "reviews")
        bundle = folder / "a" / "reviews"
        happened = events(folder / "events", bundle, folder / "b" / "reviews", chosen.repetitions)
        rates = throughput(folder / "rates", bundle, chosen.seconds, chosen.repetitions)
    text = [
        "# A stack under load",
        "",
        "Two replicas behind nginx with HTTPS, API keys in PostgreSQL and limits in Redis, all on two cores together "
        f"with the clients, as `make stack` runs them. {IN_FLIGHT} requests are in flight, a film sentence each. "
        f"Measured on {date.today()} with `make bench ONLY=stack`, {describe()}.",
        "",
        "| event | requests | lost | mixed | p50 ms | p99 ms, median | p99 ms, highest | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *happened,
        "",
        "A lost request got no prediction; a mixed answer is not that of its version. Each event was repeated "
        f"{chosen.repetitions} times. Percentiles are of all requests of a repetition, from {SETTLE_S:.0f} s before "
        f"the event to {SETTLE_S:.0f} s after it. Seconds are of the event.",
        "",
        "| whole reviews, 256 tokens read | requests/s, median | times one replica |",
        "| --- | ---: | ---: |",
        *rates,
        "",
        "Each replica has one core; the second one shares its core with nginx, the stores and the clients.",
        "",
    ]
    PAGE.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
