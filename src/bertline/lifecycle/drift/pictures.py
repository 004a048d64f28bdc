"""Pictures of what changed, as inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from bertline.evaluation import svg
from bertline.lifecycle.drift.found import Change, PriorShift
from bertline.statistics.figures import INTERVAL, percent

ROW, LEFT, WIDTH = 44, 130, 560
SMALL_WIDTH, SMALL_HEIGHT, SMALL_LEFT = 370.0, 210.0, 50.0


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
    axis = [svg.text(percent(value, digits=0), plot.x(value), height - 6, anchor="middle") for value in values]
    title = f"Shares of labels: bars in the reference, dots with {INTERVAL}s in the new texts"
    return svg.picture(title, WIDTH, height, *marks, *axis)


def distributions_picture(change: Change, words: Callable[[float], str]) -> Markup:
    """The share of texts up to each value, before and after: the largest gap is the distance in the table.

    Args:
        change: the number.
        words: writes one of its values.
    """
    before, after = change.quantiles
    low, high = min(before[0], after[0]), max(before[-1], after[-1])
    plot = svg.Plot(SMALL_LEFT, 34, SMALL_WIDTH - 18, SMALL_HEIGHT - 26, (low, high), (0.0, 1.0))
    shares, values = svg.ticks(0.0, 1.0, about=4), svg.ticks(low, high, about=4)
    marks = (svg.text(words(one), plot.x(one), SMALL_HEIGHT - 8, anchor="middle") for one in values)
    title = f"Share of texts up to each value of {change.name}, reference and new; largest gap {change.distance:.2f}"
    return svg.picture(
        title,
        SMALL_WIDTH,
        SMALL_HEIGHT,
        plot.grid(shares, [percent(one, digits=0) for one in shares]),
        *marks,
        svg.path(_steps(plot, before), "second curve"),
        svg.path(_steps(plot, after), "first curve"),
        svg.line(SMALL_LEFT, 13, SMALL_LEFT + 18, 13, "second curve"),
        svg.text("reference", SMALL_LEFT + 24, 17, class_="legend"),
        svg.line(SMALL_LEFT + 110, 13, SMALL_LEFT + 128, 13, "first curve"),
        svg.text("new", SMALL_LEFT + 134, 17, class_="legend"),
    )


def _steps(plot: svg.Plot, quantiles: Sequence[float]) -> list[tuple[float, float]]:
    """The distribution function through its quantiles, from edge to edge of the plot."""
    last = len(quantiles) - 1
    points = [(plot.x(value), plot.y(place / last)) for place, value in enumerate(quantiles)]
    return [(plot.left, plot.y(0.0)), (points[0][0], plot.y(0.0)), *points, (plot.right, plot.y(1.0))]
