"""``loop.html``: what happened, with figures, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from bertline.destination import replace_file
from bertline.evaluation import svg
from bertline.statistics.figures import percent
from examples.loop.traffic import Sent, accuracy

WINDOW = 100  # requests of a point in the picture
WIDTH, HEIGHT, LEFT, BOTTOM = 960, 300, 56, 264


@dataclass(frozen=True, slots=True)
class Chapter:
    """One step of the story.

    Attributes:
        title: what was done.
        at_s: when it began.
        figures: names and values.
        sentences: what came of it.
        commands: that were typed.
    """

    title: str
    at_s: float
    figures: list[tuple[str, str]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def write_page(path: Path, chapters: Sequence[Chapter], sent: Sequence[Sent], summary: str, url: str) -> None:
    """Write the page.

    Raises:
        OSError: it cannot be written.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("loop.html.jinja").read_text(encoding="utf-8"))
    css = files("bertline").joinpath("evaluation/report.css").read_text(encoding="utf-8")
    page = template.render(
        css=Markup(css),
        chapters=chapters,
        picture=picture(sent, chapters),
        summary=summary,
        url=url,
        clock=clock,
    )
    replace_file(path, page.encode())


def picture(sent: Sequence[Sent], chapters: Sequence[Chapter]) -> Markup:
    """Accuracy over time, a point for each hundred requests; a line and a number where a chapter begins."""
    points = [list(sent[start : start + WINDOW]) for start in range(0, len(sent) - WINDOW + 1, WINDOW)]
    last_s = sent[-1].at_s if sent else 1.0
    plot = svg.Plot(LEFT, 12, WIDTH - 12, BOTTOM, (0.0, last_s), (0.4, 1.0))
    marks: list[Markup] = []
    for value in svg.ticks(0.4, 1.0):
        marks += [
            svg.line(LEFT, plot.y(value), WIDTH - 12, plot.y(value), "grid"),
            svg.text(percent(value, digits=0), LEFT - 8, plot.y(value) + 4, anchor="end"),
        ]
    for number, chapter in enumerate(chapters, 1):
        if 0 < chapter.at_s <= last_s:
            place = plot.x(chapter.at_s)
            marks += [svg.line(place, 12, place, BOTTOM, "rule"), svg.text(str(number), place + 3, 22)]
    for value in svg.ticks(0.0, last_s / 60):
        marks.append(svg.text(f"{value:g} min", plot.x(60 * value), BOTTOM + 20, anchor="middle"))
    if points:
        curve = [(plot.x(some[-1].at_s), plot.y(max(0.4, accuracy(some)))) for some in points]
        marks.append(svg.path(curve, "first curve"))
    return svg.picture("Accuracy of the answers over time", WIDTH, HEIGHT, *marks)


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(75.2)
    '1:15'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
