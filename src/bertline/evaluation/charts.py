"""The report's pictures, as inline SVG: each function takes measured values and returns one picture."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bertline.evaluation.svg import CHARACTER, Number, Plot, element, line, path, picture, rect, shorten, text, ticks
from bertline.statistics.calibration import Bin
from bertline.statistics.figures import percent, percent_range
from bertline.statistics.intervals import Estimate
from bertline.statistics.slices import Slice
from bertline.tasks.history import EpochRecord

WIDTH, HEIGHT = 370.0, 250.0  # small, so that the text is still readable where a phone scales it to 300 px
LEFT, RIGHT = 50.0, WIDTH - 18
EPOCH_LABELS = 12  # more would touch each other
SOLID_ROWS = 10  # a bin with fewer is a small dot: its accuracy is chance


def loss_curves(history: Sequence[EpochRecord]) -> Markup:
    """Training and validation loss by epoch."""
    train, validation = [one.train_loss for one in history], [one.validation_loss for one in history]
    plot = _by_epoch(history, 0.0, max(*train, *validation) * 1.08 or 1.0)
    values = ticks(*plot.y_range)
    return picture(
        "Loss by epoch. Training: "
        + ", ".join(f"{loss:.3f}" for loss in train)
        + ". Validation: "
        + ", ".join(f"{loss:.3f}" for loss in validation),
        WIDTH,
        HEIGHT,
        plot.grid(values, [f"{value:g}" for value in values]),
        _epochs(plot, history),
        _curve(plot, history, train, "second"),
        _curve(plot, history, validation, "first"),
        _legend(("first", "validation"), ("second", "training")),
    )


def accuracy_curve(history: Sequence[EpochRecord]) -> Markup:
    """Validation accuracy by epoch, the best epoch named."""
    accuracy = [one.validation_accuracy for one in history]
    low, high = _padded(accuracy)
    plot = _by_epoch(history, low, high)
    values = ticks(low, high)
    best = max(range(len(accuracy)), key=lambda i: accuracy[i])
    x, y = plot.x(history[best].epoch), plot.y(accuracy[best])
    anchor = "start" if x < plot.left + 40 else "end" if x > plot.right - 40 else "middle"
    return picture(
        "Validation accuracy by epoch: " + ", ".join(percent(value) for value in accuracy),
        WIDTH,
        HEIGHT,
        plot.grid(values, [percent(value, digits=0 if (high - low) > 0.05 else 1) for value in values]),
        _epochs(plot, history),
        _curve(plot, history, accuracy, "first"),
        element("circle", cx=x, cy=y, r=8, class_="ring"),
        text(percent(accuracy[best]), x, y - 14, anchor=anchor, class_="value"),
        _legend(("first", "validation accuracy")),
    )


def reliability_diagram(before: Sequence[Bin], after: Sequence[Bin]) -> Markup:
    """Accuracy against confidence per bin, before and after temperature scaling, with the rows per bin below."""
    low = min(one.low for one in (*before, *after))
    shown = [one.accuracy.value for one in (*before, *after)]
    floor = min([low, *shown, *(one.accuracy.low for one in after if one.rows >= SOLID_ROWS)])
    plot = Plot(LEFT, 34, RIGHT, 250, (low, 1.0), (max(0.0, floor - 0.03), 1.02))
    across, up = ticks(low, 1.0), ticks(*plot.y_range)
    return picture(
        "Accuracy by confidence after temperature scaling: "
        + "; ".join(
            f"{percent(one.accuracy.value)} right at {percent(one.confidence)} confidence, {one.rows:,} rows"
            for one in after
        ),
        WIDTH,
        370,
        plot.grid(up, [percent(value, digits=0) for value in up]),
        path([(plot.x(v), plot.y(v)) for v in (max(low, plot.y_range[0]), 1.0)], "diagonal"),
        *(
            plot.whisker(plot.x(one.confidence), one.accuracy.low, one.accuracy.high, "whisker")
            for one in after
            if one.rows >= SOLID_ROWS
        ),
        _bin_points(plot, before, "second"),
        _bin_points(plot, after, "first"),
        _bin_rows(plot, before, after, 284, 332),
        *(text(percent(v, digits=0), plot.x(v), 349, anchor="middle") for v in across),
        text("confidence", (LEFT + RIGHT) / 2, 366, anchor="middle"),
        text("rows", LEFT - 8, 312, anchor="end"),
        _legend(("first", "after temperature"), ("second", "before")),
    )


def accuracy_by_length(slices: Sequence[Slice], overall: float) -> Markup:
    """Accuracy with its interval for each range of lengths, against the overall accuracy."""
    low, high = _padded([end for one in slices for end in (one.estimate.low, one.estimate.high)])
    plot = Plot(LEFT, 34, WIDTH - 4, 206, (-0.5, len(slices) - 0.5), (low, high))
    values = ticks(low, high)
    marks = [mark for i, one in enumerate(slices) for mark in _length_marks(plot, i, one)]
    return picture(
        "Accuracy by length: "
        + "; ".join(f"{one.name} {percent(one.estimate.value)} of {one.rows:,} rows" for one in slices),
        WIDTH,
        HEIGHT,
        plot.grid(values, [percent(value, digits=0) for value in values]),
        line(plot.left, plot.y(overall), plot.right, plot.y(overall), "diagonal"),
        *marks,
        text("tokens", LEFT - 8, 224, anchor="end", class_="small"),
        text("rows", LEFT - 8, 241, anchor="end", class_="small"),
        _legend(("first", "accuracy, 95 % interval"), ("diagonal", f"all rows {percent(overall)}")),
    )


def bars(rows: Sequence[tuple[str, Estimate]]) -> Markup:
    """Shares as horizontal bars from 0 with their intervals; the first is the one the picture is about."""
    step, left, right = 54.0, 1.0, WIDTH - 1
    plot = Plot(left, 0, right, step * len(rows), (0.0, 1.0), (0.0, 1.0))
    return picture(
        "; ".join(f"{name} {percent(value.value)} ({percent_range(value)})" for name, value in rows),
        WIDTH,
        step * len(rows) + 4,
        *(mark for i, (name, value) in enumerate(rows) for mark in _bar(plot, i, step, name, value)),
    )


def interval_mark(estimate: Estimate, overall: float, scale: tuple[float, float]) -> Markup:
    """A table cell's picture: one interval on a common ``scale``, with the overall value as a stroke."""
    plot = Plot(5, 0, 135, 18, scale, (0.0, 1.0))
    x = plot.x(estimate.value)
    return picture(
        f"{percent(estimate.value)}, 95 % interval {percent_range(estimate)}, all rows {percent(overall)}",
        140,
        18,
        line(plot.x(overall), 1, plot.x(overall), 17, "rule"),
        line(plot.x(estimate.low), 9, plot.x(estimate.high), 9, "whisker"),
        element("circle", cx=x, cy=9, r=4, class_="first dot"),
        class_="mark",
    )


def _by_epoch(history: Sequence[EpochRecord], low: float, high: float) -> Plot:
    return Plot(LEFT, 34, RIGHT, HEIGHT - 44, (history[0].epoch, history[-1].epoch), (low, high))


def _epochs(plot: Plot, history: Sequence[EpochRecord]) -> Markup:
    every = -(-len(history) // EPOCH_LABELS)
    names = [text(str(one.epoch), plot.x(one.epoch), plot.bottom + 18, anchor="middle") for one in history[::every]]
    return Markup("").join([*names, text("epoch", (plot.left + plot.right) / 2, plot.bottom + 36, anchor="middle")])


def _curve(plot: Plot, history: Sequence[EpochRecord], values: Sequence[float], class_: str) -> Markup:
    points = [(plot.x(one.epoch), plot.y(value)) for one, value in zip(history, values, strict=True)]
    dots = (element("circle", cx=x, cy=y, r=3.5, class_=f"{class_} dot") for x, y in points)
    return Markup("").join([path(points, f"{class_} curve"), *dots])


def _legend(*entries: tuple[str, str]) -> Markup:
    parts: list[Markup] = []
    x = LEFT
    for class_, name in entries:
        parts.append(line(x, 13, x + 18, 13, class_ if class_ == "diagonal" else f"{class_} curve"))
        if class_ != "diagonal":
            parts.append(element("circle", cx=x + 9, cy=13, r=3.5, class_=f"{class_} dot"))
        parts.append(text(name, x + 24, 17, class_="legend"))
        x += 24 + len(name) * CHARACTER + 18
    return Markup("").join(parts)


def _bin_points(plot: Plot, bins: Sequence[Bin], class_: str) -> Markup:
    places = {one: (plot.x(one.confidence), plot.y(one.accuracy.value)) for one in bins}
    solid = [place for one, place in places.items() if one.rows >= SOLID_ROWS]
    dots = (
        element("circle", cx=x, cy=y, r=4 if one.rows >= SOLID_ROWS else 1.75, class_=f"{class_} dot")
        for one, (x, y) in places.items()
    )
    return Markup("").join([*([path(solid, f"{class_} curve")] if solid else []), *dots])


def _bin_rows(plot: Plot, before: Sequence[Bin], after: Sequence[Bin], top: Number, bottom: Number) -> Markup:
    most = max(one.rows for one in (*before, *after))
    parts = [line(plot.left, bottom, plot.right, bottom, "grid")]
    for offset, bins, class_ in ((0.08, after, "first"), (0.54, before, "second")):
        for one in bins:
            width = plot.x(one.high) - plot.x(one.low)
            height = (bottom - top) * one.rows / most
            x = plot.x(one.low) + offset * width
            parts.append(rect(x, bottom - height, 0.38 * width, height, f"{class_} bar"))
    tallest = next(one for one in (*after, *before) if one.rows == most)
    x = plot.x((tallest.low + tallest.high) / 2)
    anchor = "end" if x > plot.right - 30 else "middle"
    parts.append(text(f"{most:,}", min(x, plot.right) if anchor == "middle" else plot.right, top - 6, anchor=anchor))
    return Markup("").join(parts)


def _length_marks(plot: Plot, i: int, one: Slice) -> list[Markup]:
    x = plot.x(i)
    return [
        plot.whisker(x, one.estimate.low, one.estimate.high, "whisker"),
        element("circle", cx=x, cy=plot.y(one.estimate.value), r=5, class_="first dot"),
        text(one.name.removesuffix(" tokens"), x, plot.bottom + 18, anchor="middle", class_="legend"),
        text(f"{one.rows:,}", x, plot.bottom + 35, anchor="middle", class_="small"),
    ]


def _bar(plot: Plot, i: int, step: float, name: str, value: Estimate) -> list[Markup]:
    y, class_ = i * step, "other" if i else "first"
    middle = y + 33
    ends = (plot.x(value.low), plot.x(value.high))
    return [
        text(shorten(name, 32), plot.left, y + 16, class_="legend"),
        text(f"{percent(value.value)}  ({percent_range(value)})", plot.right, y + 16, anchor="end", class_="value"),
        rect(plot.left, middle - 9, plot.right - plot.left, 18, "track", rx=3),
        rect(plot.left, middle - 9, plot.x(value.value) - plot.left, 18, f"{class_} bar", rx=3),
        *(
            line(*stroke, class_)
            for class_ in ("halo", "whisker strong")
            for stroke in ((ends[0], middle, ends[1], middle), *((x, middle - 5, x, middle + 5) for x in ends))
        ),
    ]


def _padded(shares: Sequence[float]) -> tuple[float, float]:
    low, high = min(shares), max(shares)
    room = max(0.01, (high - low) * 0.15)
    return max(0.0, low - room), min(1.0, high + room)
