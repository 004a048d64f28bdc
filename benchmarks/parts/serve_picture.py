"""The picture of the server benchmark: p50 and p99 against offered load, one line per server, as an SVG of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from benchmarks.servers.steps import TARGET_MS
from bertline.evaluation.svg import CHARACTER, Plot, element, line, path, text, ticks

WIDTH, PANEL, GAP = 720.0, 250.0, 56.0
LEFT, RIGHT, LEGEND = 58.0, WIDTH - 16, 50.0
LOW_MS, HIGH_MS = 1.0, 10_000.0
COLOURS = ("#2563eb", "#6b7280", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d")
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #374151 } .name { font-weight: 600 } .grid { stroke: #d1d5db }
.target { stroke: #374151; stroke-dasharray: 5 4 } .curve { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #d1d5db } .grid { stroke: #4b5563 } .target { stroke: #d1d5db } }
"""
QUANTILES = (("p50_ms", "p50, ms"), ("p99_ms", "p99, ms: failed requests count as never answered"))


def picture(servers: Mapping[str, Any]) -> Markup:
    """Both panels; a latency that is infinite lies on the upper edge."""
    height = LEGEND + len(QUANTILES) * (PANEL + GAP)
    panels = (_panel(servers, key, name, LEGEND + i * (PANEL + GAP)) for i, (key, name) in enumerate(QUANTILES))
    return element(
        "svg",
        element(
            "title", "Latency against offered load: " + ", ".join(_plain(one["title"]) for one in servers.values())
        ),
        element("style", Markup(STYLE)),
        _legend([_plain(one["title"]) for one in servers.values()]),
        *panels,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
    )


def _panel(servers: Mapping[str, Any], key: str, name: str, top: float) -> Markup:
    most = max(step["offered_per_s"] for one in servers.values() for step in one["steps"])
    decades = range(round(math.log10(LOW_MS)), round(math.log10(HIGH_MS)) + 1)
    plot = Plot(LEFT, top + 18, RIGHT, top + PANEL, (0.0, 1.02 * most), (decades[0], decades[-1]))
    across = ticks(0.0, most, about=8)
    target = plot.y(math.log10(TARGET_MS))
    return Markup("").join(
        [
            text(name, LEFT, top + 8, class_="name"),
            plot.grid(list(decades), [f"{10**decade:,}" for decade in decades]),
            *(text(f"{value:g}", plot.x(value), plot.bottom + 18, anchor="middle") for value in across),
            text("requests per second, offered", (LEFT + RIGHT) / 2, plot.bottom + 36, anchor="middle"),
            line(LEFT, target, RIGHT, target, "target"),
            text(f"{TARGET_MS:g}", LEFT - 8, target + 4, anchor="end"),
            *(_curve(plot, one["steps"], key, colour) for one, colour in zip(servers.values(), COLOURS, strict=False)),
        ]
    )


def _curve(plot: Plot, steps: Sequence[Mapping[str, Any]], key: str, colour: str) -> Markup:
    """A dot per step, and a line through the median of each load."""
    by_rate: dict[float, list[tuple[float, float]]] = {}
    for one in steps:
        at = plot.x(one["offered_per_s"]), plot.y(_height(one[key]))
        by_rate.setdefault(one["rate_per_s"], []).append(at)
    middle = sorted((median(x for x, _ in some), median(y for _, y in some)) for some in by_rate.values())
    dots = (element("circle", cx=x, cy=y, r=2.5, fill=colour) for some in by_rate.values() for x, y in some)
    return Markup("").join([element("g", path(middle, "curve"), stroke=colour), *dots])


def _height(ms: float | None) -> float:
    return math.log10(min(HIGH_MS, max(LOW_MS, HIGH_MS if ms is None else ms)))


def _legend(names: Sequence[str]) -> Markup:
    parts: list[Markup] = []
    x, y = LEFT, 14.0
    for name, colour in zip(names, COLOURS, strict=False):
        width = 24 + len(name) * CHARACTER + 18
        if x + width > RIGHT:
            x, y = LEFT, y + 18
        parts += [element("circle", cx=x + 8, cy=y - 4, r=4, fill=colour), text(name, x + 18, y)]
        x += width
    return Markup("").join(parts)


def _plain(title: str) -> str:
    return title.replace("*", "")
