"""``report/engines.html`` and ``engines.json``: every engine that was tried, and a chart of score against cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bertline.bundle import Bundle
from bertline.evaluation import svg
from bertline.evaluation.report import page_template
from bertline.optimization.outcome import Optimized
from bertline.optimization.pick import FP32_NAME
from bertline.optimization.settings import Goal, OptimizeSettings
from bertline.statistics.figures import percent
from bertline.tasks.contract import score_key

WIDTH, HEIGHT = 680.0, 330.0
AXES: dict[Goal, tuple[str, str]] = {
    "throughput": ("texts per second", "texts_per_s"),
    "latency": ("milliseconds for one text", "p50_ms"),
    "size": ("megabytes", "megabytes"),
}


def write_report(directory: Path, optimized: Optimized, bundle: Bundle, settings: OptimizeSettings) -> None:
    """Write both files into ``directory``.

    Raises:
        UsageError: Jinja is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    record = {
        "goal": settings.goal,
        "max_accuracy_drop_points": settings.max_accuracy_drop,
        "processor": optimized.processor,
        "picked": optimized.picked,
        "caveats": list(optimized.caveats),
        "engines": {name: row(optimized, name) for name in optimized.measured},
    }
    (directory / "engines.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = page_template("engines.html.jinja", "optimization", "evaluation").render(
        title=bundle.manifest.name,
        optimized=optimized,
        settings=settings,
        axis=AXES[settings.goal][0],
        score=score(optimized),
        heading=capitalised(score(optimized)),
        rows=[row(optimized, name) for name in optimized.measured],
        picture=pareto(optimized, settings.goal),
    )
    (directory / "engines.html").write_text(page, encoding="utf-8")


def row(optimized: Optimized, name: str) -> dict[str, Any]:
    """One engine's line of the table, as plain values."""
    tested = optimized.reported[name]
    return {
        "name": name,
        "picked": name == optimized.picked,
        "on_frontier": name in optimized.frontier,
        "note": optimized.candidates[name].note,
        **optimized.measured[name].to_json(),
        "drop_points": optimized.measured[name].quality.drop_points,
        f"test_{score_key(tested.score)}": tested.value,
        "test_drop_points": tested.drop_points,
        "test_difference": tested.difference.to_json(),
        "test_agreement": tested.agreement,
        "unlabelled_agreement": optimized.agreement.get(name),
    }


def pareto(optimized: Optimized, goal: Goal) -> Markup:
    """The score on the tuning rows against an engine's cost; a line joins the Pareto frontier."""
    title, key = AXES[goal]
    points = {
        name: (float(figures.to_json()[key]), figures.quality.value) for name, figures in optimized.measured.items()
    }
    across, up = [x for x, _ in points.values()], [y for _, y in points.values()]
    margin = max(0.002, 0.15 * (max(up) - min(up)))
    plot = svg.Plot(
        58.0, 28.0, WIDTH - 48, HEIGHT - 46, (0.0, 1.05 * max(across)), (min(up) - margin, max(up) + margin)
    )
    levels, steps = svg.ticks(*plot.y_range), svg.ticks(*plot.x_range)
    best = sorted(points[name] for name in optimized.frontier)
    return svg.picture(
        f"{capitalised(score(optimized))} and {title} of {len(points)} engines; picked: {optimized.picked}",
        WIDTH,
        HEIGHT,
        plot.grid(levels, [_level(score(optimized), level) for level in levels]),
        *(svg.text(f"{step:g}", plot.x(step), HEIGHT - 26, anchor="middle") for step in steps),
        svg.text(title, (plot.left + plot.right) / 2, HEIGHT - 6, anchor="middle"),
        svg.path([(plot.x(x), plot.y(y)) for x, y in best], "curve first"),
        *(_point(plot, name, point, optimized) for name, point in points.items()),
    )


def score(optimized: Optimized) -> str:
    """The name of the score of the bundle's task."""
    return optimized.reported[FP32_NAME].score


def capitalised(name: str) -> str:
    """The name of a score at the beginning of a sentence.

    >>> capitalised("accuracy"), capitalised("R²")
    ('Accuracy', 'R²')
    """
    return name[0].upper() + name[1:]


def _level(name: str, level: float) -> str:
    return f"{level:.3f}" if name == "R²" else percent(level)


def _point(plot: svg.Plot, name: str, point: tuple[float, float], optimized: Optimized) -> Markup:
    x, y = plot.x(point[0]), plot.y(point[1])
    picked = name == optimized.picked
    kind = "dot first" if name in optimized.frontier else "dot second"
    ring = svg.element("circle", cx=x, cy=y, r=9, class_="ring") if picked else Markup("")
    label = svg.text(name, x, y - 13, anchor="middle", class_="value" if picked else "tick")
    return ring + svg.element("circle", cx=x, cy=y, r=4.5, class_=kind) + label
