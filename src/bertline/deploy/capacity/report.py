"""The plan as one page that needs nothing else."""

from __future__ import annotations

import math
from pathlib import Path

from markupsafe import Markup

from bertline.deploy.capacity.answer import answer, assumptions, option_json, per_million
from bertline.deploy.capacity.plan import Plan
from bertline.destination import replace_file
from bertline.destination.files import as_destination_error
from bertline.errors import DestinationError
from bertline.evaluation import svg
from bertline.evaluation.report import import_jinja, page_template

WIDTH, HEIGHT = 560, 260
LEFT, TOP, RIGHT, BOTTOM = 58.0, 22.0, WIDTH - 18.0, HEIGHT - 44.0


def check_page(path: Path) -> None:
    """Check that the page can be written, before long work.

    Raises:
        DestinationError: its directory is missing, or it is a directory.
        UsageError: Jinja is not installed.
    """
    import_jinja()
    if not path.absolute().parent.is_dir():
        raise DestinationError(f"{path} cannot be written: there is no directory {path.parent}; create it")
    if path.is_dir():
        raise DestinationError(f"{path} is a directory: name a file such as {path / 'plan.html'}")


def write_page(path: Path, plan: Plan) -> None:
    """Write the page.

    Raises:
        DestinationError: there is no room, or it may not be written.
    """
    page = page_template("plan.html.jinja", "deploy/capacity", "evaluation").render(
        plan=plan,
        answer=answer(plan),
        assumptions=list(assumptions(plan)),
        options=[option_json(plan, one) for one in plan.options],
        per_month=plan.per_month(plan.best, scaled=True),
        per_million=per_million(plan) if plan.prices else None,
        core_hours=plan.core_hours(scaled=True),
        latency=latency(plan),
        day=day(plan),
        pools=pools(plan),
    )
    with as_destination_error(path, "the page"):
        replace_file(path, page.encode())


def latency(plan: Plan) -> Markup:
    """Median and p99 against the rate; the asked rate and latency are lines."""
    asked = plan.settings
    seen = [
        (rate, one.quantile_ms(0.5), one.quantile_ms(0.99))
        for rate, one in plan.curve
        if math.isfinite(one.quantile_ms(0.99)) and one.quantile_ms(0.99) < 2.5 * asked.p99_ms
    ]
    most = max(asked.p99_ms, *(p99 for _, _, p99 in seen))
    plot = svg.Plot(LEFT, TOP, RIGHT, BOTTOM, (0.0, plan.curve[-1][0]), (0.0, 1.1 * most))
    return svg.picture(
        f"Latency against requests per second; p99 is {plan.best.seen.quantile_ms(0.99):.0f} ms at {asked.rps:g} per "
        "second",
        WIDTH,
        HEIGHT,
        _grid(plot, "ms", "requests per second"),
        svg.line(plot.left, plot.y(asked.p99_ms), plot.right, plot.y(asked.p99_ms), "diagonal"),
        svg.line(plot.x(asked.rps), plot.top, plot.x(asked.rps), plot.bottom, "diagonal"),
        svg.path([(plot.x(rate), plot.y(p50)) for rate, p50, _ in seen], "curve second"),
        svg.path([(plot.x(rate), plot.y(p99)) for rate, _, p99 in seen], "curve first"),
        svg.text("p99", plot.left + 10, plot.top + 4, class_="tick strong first-name"),
        svg.text("median", plot.left + 44, plot.top + 4, class_="tick strong second-name"),
    )


def day(plan: Plan) -> Markup:
    """Replicas by hour as bars, the load as a line on a scale of its own."""
    most = max(hour.replicas for hour in plan.day)
    plot = svg.Plot(LEFT, TOP, RIGHT, BOTTOM, (0.0, float(len(plan.day))), (0.0, 1.15 * most))
    width = (plot.right - plot.left) / len(plan.day)
    levels = sorted({round(level) for level in svg.ticks(0, most)})
    top_rps = max(hour.rps for hour in plan.day) * 1.15
    load = svg.Plot(LEFT, TOP, RIGHT, BOTTOM, (0.0, float(len(plan.day))), (0.0, top_rps))
    return svg.picture(
        f"Replicas by hour of the day: from {min(hour.replicas for hour in plan.day)} to {most}",
        WIDTH,
        HEIGHT,
        plot.grid(levels, [str(level) for level in levels]),
        *(
            svg.rect(
                plot.x(hour) + 1.5, plot.y(one.replicas), width - 3, plot.bottom - plot.y(one.replicas), "first bar"
            )
            for hour, one in enumerate(plan.day)
        ),
        svg.path([(load.x(hour + 0.5), load.y(one.rps)) for hour, one in enumerate(plan.day)], "curve second"),
        *(svg.text(f"{hour}", plot.x(hour + 0.5), plot.bottom + 16, anchor="middle") for hour in range(0, 24, 3)),
        svg.text("hour; bars: replicas, line: requests per second", (LEFT + RIGHT) / 2, HEIGHT - 6, anchor="middle"),
    )


def pools(plan: Plan) -> Markup:
    """p99 by number of replicas, at the same load for each."""
    seen = [(number, one.quantile_ms(0.99)) for number, one in plan.pools if math.isfinite(one.quantile_ms(0.99))]
    most = max((p99 for _, p99 in seen), default=1.0)
    plot = svg.Plot(LEFT, TOP, RIGHT, BOTTOM, (0.0, float(len(plan.pools))), (0.0, 1.15 * most))
    width = (plot.right - plot.left) / len(plan.pools)
    places = {number: place for place, (number, _) in enumerate(plan.pools)}
    return svg.picture(
        "p99 by number of replicas at the same load for each",
        WIDTH,
        HEIGHT,
        _levels(plot, "ms"),
        *(
            svg.rect(plot.x(places[n]) + width / 4, plot.y(p99), width / 2, plot.bottom - plot.y(p99), "first bar")
            + svg.text(f"{p99:.0f} ms", plot.x(places[n] + 0.5), plot.y(p99) - 6, anchor="middle", class_="value")
            for n, p99 in seen
        ),
        *(
            svg.text(f"{number}", plot.x(place + 0.5), plot.bottom + 16, anchor="middle")
            for number, place in places.items()
        ),
        svg.text("replicas behind the balancer", (LEFT + RIGHT) / 2, HEIGHT - 6, anchor="middle"),
    )


def _levels(plot: svg.Plot, unit: str) -> Markup:
    levels = svg.ticks(*plot.y_range)
    return plot.grid(levels, [f"{level:g} {unit}" for level in levels])


def _grid(plot: svg.Plot, unit: str, across: str) -> Markup:
    steps = svg.ticks(*plot.x_range)
    names = (svg.text(f"{step:g}", plot.x(step), plot.bottom + 16, anchor="middle") for step in steps)
    axis = svg.text(across, (plot.left + plot.right) / 2, plot.bottom + 38, anchor="middle")
    return Markup("").join([_levels(plot, unit), *names, axis])
