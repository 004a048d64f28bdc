"""The page of the server benchmark, from its raw figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

INTRODUCTION = """\
# Serving

One bundle (all-MiniLM-L6-v2 fine-tuned by bertline) behind our server and behind the ones people would pick instead,
each alone on the machine with the generator. LitServe, BentoML and Ray Serve batch requests for the very engine that
our server runs (fp32, ONNX Runtime); FastAPI runs transformers' pipeline, Infinity an engine of its own, both fp32. The
texts are the test rows of Rotten Tomatoes and Reuters R8, shuffled, one per request, cut to 256 tokens. Before it is
measured, each server has to give 20 of them the labels that the engine gives them.

Load is open-loop: Poisson arrivals, whatever the server does, and latency from the *scheduled* time. A request that is
refused, fails or takes 10 s counts as never answered. *Sustained* is the highest load at which p99 stays within 200 ms
in two of three steps with other arrivals, found by bisection; *capacity* is the most good answers per second at any
load, however late. A step in which the generator itself was late by more than 25 ms (p99) is run again, at most twice.
Each server runs the setting that sustained most of those tried. Access logs are off everywhere.
`make bench ONLY=serve` measures it again ([raw figures](serving.json)).
"""
Record = Mapping[str, Any]


def page(record: Record) -> str:
    """The whole page."""
    parts: list[str] = [INTRODUCTION]
    for mode, section in SECTIONS.items():
        if record.get(mode):
            parts += section(record)
    return "\n".join(parts).rstrip() + "\n"


def _peers(record: Record) -> list[str]:
    rows = record["peers"]
    offline = _offline(record)
    lines = [
        "## What each server sustains\n",
        "![p50 and p99 against offered load](serving.svg)\n",
        "| | sustained/s | capacity/s | × best other | p50 · p99 there, ms | processes, MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, one in _ordered(rows):
        others = max((other["sustained_per_s"] for key, other in rows.items() if key != name), default=0.0)
        ratio = f"{one['sustained_per_s'] / others:.2f}" if others else ""
        lines.append(
            f"| {one['title']} | {one['sustained_per_s']:,.1f} | {one['capacity_per_s']:,.1f} | {ratio} "
            f"| {_there(one)} | {one['processes']}, {one['resident_mb']:,.0f} |"
        )
    lines.append("")
    if offline and "bertline" in rows:
        sustained = rows["bertline"]["sustained_per_s"]
        lines.append(
            f"Offline, all texts at once, our engine answers {offline:,.1f} texts/s (median of 3): our server sustains "
            f"{sustained / offline:.0%} of that.\n"
        )
    lines += [
        "Settings, with what each sustained in a shorter search; the best one is measured above.\n",
        *_settings(rows),
        "",
        *_conditions(rows),
    ]
    return lines


def _settings(rows: Record) -> list[str]:
    lines = []
    for _, one in _ordered(rows):
        versions = ", ".join(f"{package} {version}" for package, version in one["versions"].items())
        tried = "; ".join(
            f"{trial['setting']}: {trial['sustained_per_s']:,.0f}/s{' (did not start)' if 'error' in trial else ''}"
            for trial in one["trials"]
        )
        lines.append(f"- {one['title']} ({versions}): {tried}.")
    return lines


def _conditions(rows: Record) -> list[str]:
    machines = sorted({one["machine"] for one in rows.values()})
    seconds = sorted({one["key"]["seconds"] for one in rows.values()})
    steps = [step for one in rows.values() for step in one["steps"]]
    held = [step for step in steps if step["p99_ms"] is not None and step["p99_ms"] <= 200]
    lag = max((step["generator_lag_p99_ms"] for step in held), default=0.0)
    cpu = max((step["generator_cpu_share"] for step in held), default=0.0)
    busy = max(one["load_before"] for one in rows.values())
    return [
        f"Machine: {'; '.join(machines)}. Steps of {' and '.join(f'{one:g}' for one in seconds)} s after 2 s of "
        f"warm-up; load average before each server at most {busy:.2f}. In the steps that held, the generator took at "
        f"most {cpu:.1%} of a core and was late by at most {lag:.1f} ms (p99), which counts as latency of the server.\n"
    ]


def _overhead(record: Record) -> list[str]:
    lines = [
        "## One request at a time\n",
        "Median milliseconds of the same 300 texts, one after the other over one kept connection, beside the engine "
        "called in process, in alternating passes. The difference is a server's own only where it runs that engine.\n",
        "| | server, ms | engine, ms | overhead, ms |",
        "|---|---:|---:|---:|",
    ]
    titles = record.get("peers", {})
    for name, one in sorted(record["overhead"].items(), key=lambda row: row[1]["server_p50_ms"]):
        own = titles.get(name, {}).get("same_engine", True)
        difference = f"{one['server_p50_ms'] - one['engine_p50_ms']:.2f}" if own else "another engine"
        lines.append(
            f"| {titles.get(name, {}).get('title', name)} | {one['server_p50_ms']:.2f} | {one['engine_p50_ms']:.2f} "
            f"| {difference} |"
        )
    return [*lines, ""]


def _overload(record: Record) -> list[str]:
    titles = record.get("peers", {})
    seconds = next(iter(record["overload"].values()))["step"]["seconds"]
    lines = [
        "## Ten times too much\n",
        f"Ten times each server's capacity for {seconds:g} s; clients hang up after 2 s. *Left* is good answers as a "
        "share of the capacity, *recovered* how long after the last request single ones were answered in time again.\n",
        "| | offered/s | good answers/s | left | within 200 ms/s | failed | recovered, s |",
        "|---|---:|---:|---:|---:|---|---:|",
    ]
    for name, one in sorted(record["overload"].items(), key=lambda row: -row[1]["share"]):
        step = one["step"]
        failed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(step["failures"].items()))
        recovered = "over 60" if one["recovered_s"] is None else f"{one['recovered_s']:.1f}"
        lines.append(
            f"| {titles.get(name, {}).get('title', name)} | {step['offered_per_s']:,.0f} | {step['good_per_s']:,.1f} "
            f"| {one['share']:.0%} | {step['in_time_per_s']:,.1f} | {failed or 'none'} | {recovered} |"
        )
    return [*lines, ""]


def _soak(record: Record) -> list[str]:
    lines = ["## Memory under constant load\n"]
    for name, one in record["soak"].items():
        title = record.get("peers", {}).get(name, {}).get("title", name)
        step, samples, slope = one["step"], one["samples"], one["slope"]
        failed = sum(step["failures"].values())
        grown = (
            f"a slope of {slope['mb_per_hour']:+.1f} MB per hour (95 % interval {slope['low']:+.1f} to "
            f"{slope['high']:+.1f}; 8 block means, the first fifth left out)"
            if slope
            else "too few samples for a slope"
        )
        lines.append(
            f"- {title}, {one['minutes']:g} minutes at {one['rate_per_s']:,.0f} requests/s (80 % of what it sustains): "
            f"{step['requests']:,} requests, {failed:,} failed, p99 {_ms(step['p99_ms'])} ms. Resident memory of all "
            f"its processes {samples[0][1]:,.0f} MB at first, {samples[-1][1]:,.0f} MB at last: {grown}."
        )
    return [*lines, ""]


def _guarded(record: Record) -> list[str]:
    found = record["guarded"]
    bare, full = (statistics.median(one) for one in zip(*found["rates"], strict=True))
    low, high = min(found["ratios"]), max(found["ratios"])
    return [
        "## What being guarded and seen costs\n",
        "Capacity of the bare server and of one that checks an access token (JWT), counts requests and tokens of each "
        "client, writes a JSON line per request and traces 1 % of them to a collector; both warm, offered a third more "
        f"than they can do, in alternating windows of {found['seconds']:g} s "
        "(`python -m benchmarks.serve_guarded`).\n",
        f"- bare {bare:,.1f}/s, guarded and watched {full:,.1f}/s; the ratio of {len(found['rates'])} pairs: "
        f"**{found['ratio']:.1%}** (median; {low:.1%} to {high:.1%}).",
        "",
    ]


SECTIONS: dict[str, Callable[[Record], list[str]]] = {
    "peers": _peers,
    "overhead": _overhead,
    "overload": _overload,
    "soak": _soak,
    "guarded": _guarded,
}


def _ordered(rows: Record) -> list[tuple[str, Any]]:
    return sorted(rows.items(), key=lambda row: -row[1]["sustained_per_s"])


def _offline(record: Record) -> float | None:
    rates = record.get("overhead", {}).get("bertline", {}).get("offline_texts_per_s")
    return statistics.median(rates) if rates else None


def _there(one: Record) -> str:
    """The medians of the steps at the sustained load."""
    steps = [step for step in one["steps"] if step["rate_per_s"] == one["sustained_per_s"]]
    if not steps:
        return "—"
    p50, p99 = (statistics.median([step[key] or math.inf for step in steps]) for key in ("p50_ms", "p99_ms"))
    return f"{_ms(p50)} · {_ms(p99)}"


def _ms(value: float | None) -> str:
    return "never" if value is None or value == math.inf else f"{value:,.1f}"
