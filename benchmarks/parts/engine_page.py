"""The page of the engine benchmark, from its raw figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

TITLES = {"rt": "Rotten Tomatoes", "r8": "Reuters R8", "imdb": "IMDB"}
INTRODUCTION = """\
# Engines

all-MiniLM-L6-v2 fine-tuned by bertline, answered by its engines and by what people would pick instead: the same
checkpoint, the same texts, two threads, one run, repetitions in shuffled order. Texts per second are medians,
tokenising included; every peer chose its batches on a warm-up slice, and its settings are its documented best
(`benchmarks/peers`). *Same label* is agreement with fp32, *lost* the accuracy lost against it on these very texts, in
points. `make bench ONLY=engines` measures it again ([raw figures](engines.json)).

*Narrow* students have 512 feed-forward neurons in each layer instead of 1,536, and 6 attention heads instead of 12
unless they are said to have all. With AMX a processor multiplies eight bits ten times as fast as fp32 (rates below
each table), and what is around the products decides.
"""


def page(record: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for key, title in TITLES.items():
        for kind, found in sorted(record.get(key, {}).items()):
            parts += _section(f"{title}, {kind}", found)
    return "\n".join(parts) + "\n"


def median(rows: Iterable[Mapping[str, Any]], name: str) -> float:
    """Texts per second of one contestant; 0 if it did not run."""
    return next((statistics.median(row["texts_per_s"]) for row in rows if row["name"] == name), 0.0)


def best_peer(rows: Iterable[Mapping[str, Any]], ending: str) -> tuple[str, float]:
    """The fastest peer of one precision."""
    rates = {
        r["name"]: statistics.median(r["texts_per_s"]) for r in rows if not r["ours"] and r["name"].endswith(ending)
    }
    name = max(rates, key=lambda one: rates[one], default="none")
    return name, rates.get(name, 0.0)


def _section(title: str, found: Mapping[str, Any]) -> list[str]:
    rows = sorted(found["rows"], key=lambda row: statistics.median(row["texts_per_s"]))
    base = median(rows, "transformers")
    lines = [
        f"## {title}\n",
        f"{found['texts']:,} texts. Machine: {found['machine']}.\n",
        "| | texts/s | lowest – highest | × transformers | one text, ms: p50 · p99 | same label | lost |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        rates = row["texts_per_s"]
        middle = statistics.median(rates)
        times = f"{middle / base:.1f}" if base else ""
        quality = "exact | exact" if row["exact"] else f"{row['agreement']:.1%} | {row['lost_points']:+.2f}"
        lines.append(
            f"| {row['title']} | {middle:,.1f} | {min(rates):,.1f} – {max(rates):,.1f} | {times} "
            f"| {row['p50_ms']:.2f} · {row['p99_ms']:.2f} | {quality} |"
        )
    return [*lines, "", *_ratios(rows, found.get("bert_base_padded_texts_per_s")), *_ceiling(found["ceiling"])]


def _ratios(rows: list[Mapping[str, Any]], bert_base: float | None) -> list[str]:
    lines = []
    for precision in ("fp32", "int8"):
        peer, rate = best_peer(rows, precision)
        own = median(rows, f"bertline {precision}")
        if rate and own:
            lines.append(f"- {precision}: {own / rate:.2f} times the fastest {precision} peer ({peer}).")
    ours = {row["name"]: statistics.median(row["texts_per_s"]) for row in rows if row["ours"]}
    base, (peer, rate) = median(rows, "transformers"), best_peer(rows, "int8")
    for name, own in sorted(ours.items(), key=lambda one: -one[1]):
        if base and rate:
            lines.append(f"- {name}: {own / rate:.1f} times {peer} and {own / base:.0f} times transformers.")
    if bert_base:
        lines.append(
            f"- BERT-base in transformers, fp32, padded to 512 (random weights): {bert_base:.1f} texts/s; our int8 "
            f"engine of the small model is {median(rows, 'bertline int8') / bert_base:.0f} times as fast."
        )
    fp32, int8 = median(rows, "bertline fp32"), median(rows, "bertline int8")
    if fp32 and int8:
        lines.append(f"- int8 is {int8 / fp32:.2f} times our fp32.")
    return [*lines, ""]


def _ceiling(found: Mapping[str, Any]) -> list[str]:
    rates, seconds = found["gflops"], found["seconds"]
    parts = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())
    return [
        f"The best matrix products of the same library reach {rates['fp32']:,.0f} GFLOP/s in fp32 and "
        f"{rates['int8']:,.0f} GOP/s in int8 here; the fp32 engine reached {found['reached_gflops']:,.0f} GFLOP/s, "
        f"{found['share_of_ceiling']:.0%} of it. One pass: {parts}.\n"
    ]
