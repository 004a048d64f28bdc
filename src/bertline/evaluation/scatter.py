"""Pictures of numbers: predicted against true ones, and errors against predicted ones."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bertline.evaluation.svg import Plot, element, line, path, picture, text, ticks
from bertline.statistics.figures import exact

WIDTH, HEIGHT = 370.0, 320.0
LEFT, TOP, RIGHT, BOTTOM = 56.0, 12.0, WIDTH - 12, HEIGHT - 44

Points = Sequence[tuple[float, float]]  # true and predicted number


def predicted_by_true(points: Points) -> Markup:
    """A dot per text; on the dashed line the two are equal."""
    numbers = [number for point in points for number in point]
    low, high = _range(numbers)
    plot = Plot(LEFT, TOP, RIGHT, BOTTOM, (low, high), (low, high))
    diagonal = path([(plot.x(low), plot.y(low)), (plot.x(high), plot.y(high))], "diagonal")
    return _dots(f"Predicted against true number of {len(points):,} texts", plot, points, "true", "predicted", diagonal)


def errors_by_predicted(points: Points) -> Markup:
    """A dot per text; the dashed line is an error of 0."""
    errors = [(predicted, predicted - true) for true, predicted in points]
    furthest = max(abs(error) for _, error in errors) * 1.08 or 1.0
    plot = Plot(LEFT, TOP, RIGHT, BOTTOM, _range([predicted for predicted, _ in errors]), (-furthest, furthest))
    zero = line(LEFT, plot.y(0.0), RIGHT, plot.y(0.0), "diagonal")
    title = f"Predicted minus true number against the predicted one, of {len(points):,} texts"
    return _dots(title, plot, errors, "predicted", "predicted − true", zero)


def _dots(title: str, plot: Plot, points: Points, across: str, up: str, rule: Markup) -> Markup:
    horizontal, vertical = (ticks(*scale, about=4) for scale in (plot.x_range, plot.y_range))
    dots = (element("circle", cx=plot.x(x), cy=plot.y(y), r=3, class_="first dot faint") for x, y in points)
    return picture(
        title,
        WIDTH,
        HEIGHT,
        plot.grid(vertical, [exact(tick) for tick in vertical]),
        *dots,
        rule,
        *(text(exact(tick), plot.x(tick), BOTTOM + 18, anchor="middle") for tick in horizontal),
        text(across, (LEFT + RIGHT) / 2, BOTTOM + 36, anchor="middle"),
        text(up, LEFT + 6, TOP + 10, class_="legend"),
    )


def _range(numbers: Sequence[float]) -> tuple[float, float]:
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.05 or max(1.0, abs(high) * 0.05)
    return low - room, high + room
