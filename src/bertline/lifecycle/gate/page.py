"""``gate.html``: every check of a gate on one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from bertline.bundle.verdict import Verdict
from bertline.destination import replace_file
from bertline.evaluation import svg
from bertline.evaluation.report import page_template
from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.run import Gated
from bertline.statistics.figures import INTERVAL

HEADLINES = {
    "yes": "The challenger may be promoted.",
    "no": "The challenger may not be promoted.",
    "undecided": "It cannot be told yet whether the challenger may be promoted.",
}
ROW, LEFT, WIDTH = 30, 190, 640
SLICES_SHOWN = 15


def write_gate(directory: Path, found: Gated, verdict: Verdict) -> Path:
    """Write the page into ``directory``, created if missing; return its path.

    Raises:
        UsageError: Jinja is not installed.
        OSError: the file cannot be written.
    """
    page = render(found, verdict)
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / "gate.html", page.encode())
    return directory / "gate.html"


def render(found: Gated, verdict: Verdict) -> str:
    """The page as text.

    Raises:
        UsageError: Jinja is not installed.
    """
    page: str = page_template("gate.html.jinja", "lifecycle/gate", "evaluation").render(
        title=found.challenger.manifest.name,
        champion=None if found.champion is None else found.champion.manifest.name,
        headline=HEADLINES[found.decision],
        checks=found.checks,
        slices=[(one, slices_picture(one, found.settings.slice_margin / 100)) for one in _sliced(found)],
        failures=[one for one in found.checks if one.figures.get("failed")],
        verdict=verdict,
    )
    return page


def _sliced(found: Gated) -> list[Check]:
    return [one for one in found.checks if one.name.startswith("slices") and one.figures]


def slices_picture(check: Check, margin: float) -> Markup:
    """The difference on each slice with its interval, the worst first; a line where the slice margin lies."""
    parts = sorted(check.figures.items(), key=lambda pair: pair[1]["difference"]["value"])[:SLICES_SHOWN]
    ends = [end for _, one in parts for end in (one["difference"]["low"], one["difference"]["high"])]
    low, high = min(*ends, -margin) - 0.01, max(*ends, 0.0) + 0.01
    height = ROW * len(parts) + 30
    plot = svg.Plot(LEFT, 0, WIDTH - 20, height - 24, (low, high), (0.0, 1.0))
    marks = [
        svg.line(plot.x(0.0), 0, plot.x(0.0), height - 24, "rule"),
        svg.line(plot.x(-margin), 0, plot.x(-margin), height - 24, "diagonal"),
    ]
    for place, (name, one) in enumerate(parts):
        middle = ROW * place + 16
        marks += _interval(plot, name, one["difference"], middle)
    axis = [
        svg.text(f"{100 * value:+.0f}", plot.x(value), height - 6, anchor="middle") for value in svg.ticks(low, high)
    ]
    title = f"Points of score against the champion on each slice, with {INTERVAL}s; dashed: the slice margin"
    return svg.picture(title, WIDTH, height, *marks, *axis)


def _interval(plot: svg.Plot, name: str, difference: dict[str, Any], middle: int) -> list[Markup]:
    start, end = plot.x(difference["low"]), plot.x(difference["high"])
    return [
        svg.text(svg.shorten(name, 28), LEFT - 10, middle + 4, anchor="end", class_="legend"),
        svg.line(start, middle, end, middle, "whisker"),
        svg.line(start, middle - 4, start, middle + 4, "whisker"),
        svg.line(end, middle - 4, end, middle + 4, "whisker"),
        svg.element("circle", cx=plot.x(difference["value"]), cy=float(middle), r=4, class_="first dot"),
    ]
