"""The report's pictures as inline SVG: each function takes measured values and returns one picture."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bertline.evaluation.svg import CHARACTER, Number, Plot, element, line, path, picture, rect, shorten, text, ticks
from bertline.statistics.calibration import Bin
from bertline.statistics.figures import INTERVAL, figure, how_many, is_share, percent, title, value
from bertline.statistics.intervals import Estimate
from bertline.statistics.slices import Slice
from bertline.tasks.history import EpochRecord

WIDTH, HEIGHT = 370.0, 250.0  # small, so that the text is still readable where a phone scales it to 300 px
LEFT, RIGHT = 50.0, WIDTH - 18
EPOCH_LABELS = 12  # more would touch each other
SOLID_ROWS = 10  # a bin with fewer is a small dot: its accuracy is chance


def loss_curves(history: Sequence[EpochRecord]) -> Markup:
    """Training and validation loss by epoch."""
    train, validation = [record.train_loss for record in history], [record.validation_loss for record in history]
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


def figure_curve(history: Sequence[EpochRecord]) -> Markup:
    """The first figure of the validation texts by epoch; a ring is around the epoch whose weights the model has."""
    name = next(iter(history[0].figures))
    values = [record.figures[name] for record in history]
    low, high = _padded(values, share=is_share(name))
    plot = _by_epoch(history, low, high)
    marks = ticks(low, high)
    best = max((i for i, record in enumerate(history) if record.best), default=len(history) - 1)
    x, y = plot.x(history[best].epoch), plot.y(values[best])
    anchor = "start" if x < plot.left + 40 else "end" if x > plot.right - 40 else "middle"
    return picture(
        f"Validation {title(name)} by epoch: " + ", ".join(value(name, number) for number in values),
        WIDTH,
        HEIGHT,
        plot.grid(marks, [_tick(name, level, high - low) for level in marks]),
        _epochs(plot, history),
        _curve(plot, history, values, "first"),
        element("circle", cx=x, cy=y, r=8, class_="ring"),
        text(value(name, values[best]), x, y - 14, anchor=anchor, class_="value"),
        _legend(("first", f"validation {title(name)}")),
    )


def reliability_diagram(
    after: Sequence[Bin], before: Sequence[Bin] = (), *, rows: str = "rows", across: str = "confidence"
) -> Markup:
    """Share of right answers against confidence per bin, with the rows per bin below.

    Args:
        after: the bins.
        before: those before temperature scaling, if they are to be compared.
        rows: what the bins count.
        across: what the bins are of.
    """
    low = min(bucket.low for bucket in (*before, *after))
    shown = [bucket.accuracy.value for bucket in (*before, *after)]
    floor = min([low, *shown, *(bucket.accuracy.low for bucket in after if bucket.rows >= SOLID_ROWS)])
    plot = Plot(LEFT, 34, RIGHT, 250, (low, 1.0), (max(0.0, floor - 0.03), 1.02))
    horizontal, up = ticks(low, 1.0), ticks(*plot.y_range)
    return picture(
        ("Accuracy by confidence after temperature scaling: " if before else "Share of right answers by confidence: ")
        + "; ".join(
            f"{percent(bucket.accuracy.value)} right at {percent(bucket.confidence)} confidence, {bucket.rows:,} {rows}"
            for bucket in after
        ),
        WIDTH,
        370,
        plot.grid(up, [percent(tick, digits=0) for tick in up]),
        path([(plot.x(v), plot.y(v)) for v in (max(low, plot.y_range[0]), 1.0)], "diagonal"),
        *(
            plot.whisker(plot.x(bucket.confidence), bucket.accuracy.low, bucket.accuracy.high, "whisker")
            for bucket in after
            if bucket.rows >= SOLID_ROWS
        ),
        _bin_points(plot, before, "second"),
        _bin_points(plot, after, "first"),
        _bin_rows(plot, before, after, 284, 332),
        *(text(percent(v, digits=0), plot.x(v), 349, anchor="middle") for v in horizontal),
        text(across, (LEFT + RIGHT) / 2, 366, anchor="middle"),
        text(rows, LEFT - 4, 312, anchor="end", class_="small"),
        _legend(("first", "after temperature"), ("second", "before"))
        if before
        else _legend(("first", f"share of {rows}")),
    )


def by_length(slices: Sequence[Slice], overall: float) -> Markup:
    """The slices' figure with its interval for each range of lengths, against that of all rows."""
    name = slices[0].figure
    low, high = _padded(
        [end for part in slices for end in (part.estimate.low, part.estimate.high)], share=is_share(name)
    )
    plot = Plot(LEFT, 34, WIDTH - 4, 206, (-0.5, len(slices) - 0.5), (low, high))
    values = ticks(low, high)
    marks = [mark for i, part in enumerate(slices) for mark in _length_marks(plot, i, part)]
    shown = title(name)
    return picture(
        f"{shown[0].upper()}{shown[1:]} by length: "
        + "; ".join(
            f"{part.name} {value(name, part.estimate.value)} of {how_many(part.rows, 'row')}" for part in slices
        ),
        WIDTH,
        HEIGHT,
        plot.grid(values, [_tick(name, level, high - low) for level in values]),
        line(plot.left, plot.y(overall), plot.right, plot.y(overall), "diagonal"),
        *marks,
        text("tokens", LEFT - 8, 224, anchor="end", class_="small"),
        text("rows", LEFT - 8, 241, anchor="end", class_="small"),
        _legend(("first", f"{shown}, {INTERVAL}"), ("diagonal", f"all rows {value(name, overall)}")),
    )


def bars(name: str, rows: Sequence[tuple[str, Estimate]]) -> Markup:
    """One figure of several models as horizontal bars with intervals; the first is the one the picture is about.

    The bars reach from 0 to 1, or where a figure is below 0, from there; those of other numbers to the largest.
    """
    step, left, right = 54.0, 1.0, WIDTH - 1
    low, high = min(0.0, *(estimate.low for _, estimate in rows)), max(estimate.high for _, estimate in rows)
    plot = Plot(left, 0, right, step * len(rows), (low, 1.0 if is_share(name) or high <= 1 else high), (0.0, 1.0))
    return picture(
        "; ".join("{} {} ({})".format(model, *figure(name, estimate)) for model, estimate in rows),
        WIDTH,
        step * len(rows) + 4,
        *(
            mark
            for i, (model, estimate) in enumerate(rows)
            for mark in _bar(plot, i, step, model, figure(name, estimate), estimate)
        ),
    )


def interval_mark(name: str, estimate: Estimate, overall: float, scale: tuple[float, float]) -> Markup:
    """A table cell's picture: one interval on a common ``scale``, with the overall value as a stroke."""
    plot = Plot(5, 0, 135, 18, scale, (0.0, 1.0))
    x = plot.x(estimate.value)
    shown, interval = figure(name, estimate)
    return picture(
        f"{shown}, {INTERVAL} {interval}, all rows {value(name, overall)}",
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
    names = [
        text(str(record.epoch), plot.x(record.epoch), plot.bottom + 18, anchor="middle") for record in history[::every]
    ]
    return Markup("").join([*names, text("epoch", (plot.left + plot.right) / 2, plot.bottom + 36, anchor="middle")])


def _curve(plot: Plot, history: Sequence[EpochRecord], values: Sequence[float], class_: str) -> Markup:
    points = [(plot.x(record.epoch), plot.y(value)) for record, value in zip(history, values, strict=True)]
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
    places = {bucket: (plot.x(bucket.confidence), plot.y(bucket.accuracy.value)) for bucket in bins}
    solid = [place for bucket, place in places.items() if bucket.rows >= SOLID_ROWS]
    dots = (
        element("circle", cx=x, cy=y, r=4 if bucket.rows >= SOLID_ROWS else 1.75, class_=f"{class_} dot")
        for bucket, (x, y) in places.items()
    )
    return Markup("").join([*([path(solid, f"{class_} curve")] if solid else []), *dots])


def _bin_rows(plot: Plot, before: Sequence[Bin], after: Sequence[Bin], top: Number, bottom: Number) -> Markup:
    most = max(bucket.rows for bucket in (*before, *after))
    parts = [line(plot.left, bottom, plot.right, bottom, "grid")]
    for offset, bins, class_ in ((0.08, after, "first"), (0.54, before, "second")):
        for bucket in bins:
            width = plot.x(bucket.high) - plot.x(bucket.low)
            height = (bottom - top) * bucket.rows / most
            x = plot.x(bucket.low) + offset * width
            parts.append(rect(x, bottom - height, 0.38 * width, height, f"{class_} bar"))
    tallest = next(bucket for bucket in (*after, *before) if bucket.rows == most)
    x = plot.x((tallest.low + tallest.high) / 2)
    anchor = "end" if x > plot.right - 30 else "middle"
    parts.append(text(f"{most:,}", min(x, plot.right) if anchor == "middle" else plot.right, top - 6, anchor=anchor))
    return Markup("").join(parts)


def _length_marks(plot: Plot, i: int, part: Slice) -> list[Markup]:
    x = plot.x(i)
    return [
        plot.whisker(x, part.estimate.low, part.estimate.high, "whisker"),
        element("circle", cx=x, cy=plot.y(part.estimate.value), r=5, class_="first dot"),
        text(part.name.removesuffix(" tokens"), x, plot.bottom + 18, anchor="middle", class_="legend"),
        text(f"{part.rows:,}", x, plot.bottom + 35, anchor="middle", class_="small"),
    ]


def _bar(plot: Plot, i: int, step: float, name: str, shown: tuple[str, str], value: Estimate) -> list[Markup]:
    y, class_ = i * step, "other" if i else "first"
    middle, zero = y + 33, plot.x(0.0)
    ends = (plot.x(value.low), plot.x(value.high))
    start, end = sorted((zero, plot.x(value.value)))
    return [
        text(shorten(name, 32), plot.left, y + 16, class_="legend"),
        text("{}  ({})".format(*shown), plot.right, y + 16, anchor="end", class_="value"),
        rect(plot.left, middle - 9, plot.right - plot.left, 18, "track", rx=3),
        rect(start, middle - 9, end - start, 18, f"{class_} bar", rx=3),
        *(
            line(*stroke, class_)
            for class_ in ("halo", "whisker strong")
            for stroke in ((ends[0], middle, ends[1], middle), *((x, middle - 5, x, middle + 5) for x in ends))
        ),
    ]


def _padded(values: Sequence[float], *, share: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(0.01 if share else 0.01 * abs(high), (high - low) * 0.15) or 1.0
    return (max(0.0, low - room), min(1.0, high + room)) if share else (low - room, high + room)


def _tick(name: str, number: float, span: float) -> str:
    return percent(number, digits=0 if span > 0.05 else 1) if is_share(name) else f"{number:,g}"
