"""SVG for the report's pictures: escaped elements, a plot area with scales, and ticks.

Colours are CSS classes, so that light, dark and print are decided by the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Number = int | float  # spelt out for checks at run time, which do not take an int for a float

CHARACTER = 6.3  # mean width of a character of 12 px system font, in px


def element(tag: str, *children: str | Markup, **attributes: object) -> Markup:
    """One element; children and attributes are escaped, ``class_`` is class and ``text_anchor`` is text-anchor.

    >>> element("text", "<b>", x=1.239)
    Markup('<text x="1.24">&lt;b&gt;</text>')
    """
    pairs = ((name.rstrip("_").replace("_", "-"), _number(value)) for name, value in attributes.items())
    written = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in pairs)
    return Markup("<{tag}{written}>{inside}</{tag}>").format(
        tag=Markup(tag), written=written, inside=Markup("").join(escape(child) for child in children)
    )


def picture(title: str, width: Number, height: Number, *children: Markup, class_: str = "chart") -> Markup:
    """An ``svg`` that scales with its box and reads its ``title`` to those who cannot see it."""
    return element(
        "svg",
        element("title", title),
        *children,
        role="img",
        class_=class_,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        style=f"--natural: {_number(width)}px",
    )


def text(content: str, x: Number, y: Number, *, anchor: str = "start", class_: str = "tick") -> Markup:
    """A line of text on the baseline ``y``."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: Number, y1: Number, x2: Number, y2: Number, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(x: Number, y: Number, width: Number, height: Number, class_: str, **attributes: object) -> Markup:
    """A rectangle; a negative width or height counts as 0."""
    size = {"width": max(0.0, width), "height": max(0.0, height)}
    return element("rect", x=x, y=y, **size, class_=class_, **attributes)


def path(points: Sequence[tuple[Number, Number]], class_: str) -> Markup:
    """Straight lines through points."""
    steps = (f"{'L' if i else 'M'}{_number(x)} {_number(y)}" for i, (x, y) in enumerate(points))
    return element("path", d=" ".join(steps), class_=class_)


@dataclass(frozen=True, slots=True)
class Plot:
    """A rectangle of the picture with a linear scale on each side."""

    left: Number
    top: Number
    right: Number
    bottom: Number
    x_range: tuple[Number, Number]
    y_range: tuple[Number, Number]

    def x(self, value: Number) -> float:
        """Where a value lies across."""
        return self.left + (self.right - self.left) * _share(value, *self.x_range)

    def y(self, value: Number) -> float:
        """Where a value lies upwards."""
        return self.bottom - (self.bottom - self.top) * _share(value, *self.y_range)

    def grid(self, values: Sequence[Number], labels: Sequence[str]) -> Markup:
        """Horizontal lines with labels on the left."""
        lines = (line(self.left, self.y(v), self.right, self.y(v), "grid") for v in values)
        names = (text(name, self.left - 8, self.y(v) + 4, anchor="end") for v, name in zip(values, labels, strict=True))
        return Markup("").join([*lines, *names])

    def whisker(self, x: Number, low: Number, high: Number, class_: str) -> Markup:
        """A vertical interval with end strokes, at ``x`` px."""
        top, bottom = self.y(high), self.y(low)
        strokes = ((x, top, x, bottom), (x - 4, top, x + 4, top), (x - 4, bottom, x + 4, bottom))
        return Markup("").join(line(*ends, class_) for ends in strokes)


def ticks(low: Number, high: Number, *, about: int = 5) -> list[float]:
    """Round numbers from at or above ``low`` to at or below ``high``.

    >>> ticks(0.62, 0.91)
    [0.65, 0.7, 0.75, 0.8, 0.85, 0.9]
    """
    rough = max(high - low, 1e-9) / about
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.75)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def shorten(name: str, characters: int) -> str:
    """A name that fits, with … for what does not."""
    return name if len(name) <= characters else name[: max(1, characters - 1)].rstrip() + "…"


def _share(value: Number, low: Number, high: Number) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
