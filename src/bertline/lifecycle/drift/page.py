"""``drift.html``, one page that needs nothing else, and ``drift.json`` with the same findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bertline.destination import replace_file
from bertline.evaluation import svg
from bertline.evaluation.report import page_template
from bertline.lifecycle.drift import wording
from bertline.lifecycle.drift.found import PriorShift, Test
from bertline.lifecycle.drift.run import TableDrift

ROW, LEFT, WIDTH = 44, 130, 560
CHANGES_SHOWN = 12


def write_drift(directory: Path, found: TableDrift, *, title: str) -> Path:
    """Write both files into ``directory``, created if missing; return the page's path.

    Raises:
        UsageError: Jinja is not installed.
        OSError: the files cannot be written.
    """
    page = render(found, title=title)
    record = {"title": title, "source": found.source, **found.drift.to_json(), "notes": list(found.notes)}
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    replace_file(directory / "drift.json", text.encode())
    replace_file(directory / "drift.html", page.encode())
    return directory / "drift.html"


def render(found: TableDrift, *, title: str) -> str:
    """The page as text.

    Raises:
        UsageError: Jinja is not installed.
    """
    drift = found.drift
    page: str = page_template("drift.html.jinja", "lifecycle/drift", "evaluation").render(
        title=title,
        found=found,
        drift=drift,
        headline=wording.headline(drift),
        meaning=wording.meaning(drift),
        accuracy=list(wording.accuracy_words(drift)),
        labelled=list(wording.labelled_words(drift)),
        tests=[_row(test, drift.level) for test in drift.tests],
        changed=[(test, test.changes[:CHANGES_SHOWN]) for test in drift.tests if test.changes],
        words=wording,
        shares=None if drift.prior is None or drift.kind == "texts" else shares_picture(drift.prior),
    )
    return page


def _row(test: Test, level: float) -> dict[str, Any]:
    return {
        "name": test.name,
        "words": wording.test_words(test),
        "p": wording.p_words(test.adjusted),
        "alone": wording.p_words(test.p),
        "changed": test.adjusted <= level,
        "size": wording.size_words(test, level),
    }


def shares_picture(prior: PriorShift) -> Markup:
    """The share of each label: a bar for the reference, a dot with its interval for the new texts."""
    most = max(*prior.before, *(one.high for one in prior.after))
    height = ROW * len(prior.labels) + 34
    plot = svg.Plot(LEFT, 0, WIDTH - 20, height - 24, (0.0, most), (0.0, 1.0))
    marks = []
    for place, (name, before, after) in enumerate(zip(prior.labels, prior.before, prior.after, strict=True)):
        top = ROW * place + 10
        middle = top + 11
        start, end = plot.x(after.low), plot.x(after.high)
        marks += [
            svg.text(svg.shorten(name, 18), LEFT - 10, middle + 4, anchor="end", class_="legend"),
            svg.rect(LEFT, top, plot.x(before) - LEFT, 22, "other bar faint"),
            svg.line(start, middle, end, middle, "whisker"),
            svg.line(start, middle - 5, start, middle + 5, "whisker"),
            svg.line(end, middle - 5, end, middle + 5, "whisker"),
            svg.element("circle", cx=plot.x(after.value), cy=float(middle), r=5, class_="first dot"),
        ]
    values = svg.ticks(0.0, most)
    axis = [svg.text(f"{value:.0%}".replace("%", " %"), plot.x(value), height - 6, anchor="middle") for value in values]
    title = "Shares of labels: bars in the reference, dots with 95 % intervals in the new texts"
    return svg.picture(title, WIDTH, height, *marks, *axis)
