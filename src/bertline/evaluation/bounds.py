"""Bounds that the figures of an evaluation must keep: the simplest gate of a pipeline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bertline.errors import BertlineError, UsageError
from bertline.statistics.figures import PERCENT


class BoundMissed(BertlineError):
    """A figure is outside its bounds."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The least or the greatest value of a figure that passes.

    Attributes:
        figure: its name in JSON.
        value: the bound; equality passes.
        least: whether it is a minimum.
    """

    figure: str
    value: float
    least: bool

    @classmethod
    def parse(cls, given: str, *, least: bool) -> Bound:
        """From ``NAME=VALUE``.

        Raises:
            UsageError: it is not of this form.

        >>> Bound.parse("accuracy=0.82", least=True)
        Bound(figure='accuracy', value=0.82, least=True)
        """
        name, _, number = given.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name.strip() or not math.isfinite(value):
            flag, example = ("--minimum", "accuracy=0.82") if least else ("--maximum", "ece=0.05")
            raise UsageError(f"{flag} {given!r} is not NAME=NUMBER: give a figure and its bound, such as {example}")
        return cls(name.strip(), value, least)

    def keeps(self, value: float) -> bool:
        """Whether a value passes; none that is not a number does."""
        return value >= self.value if self.least else value <= self.value


def check_bounds(bounds: Sequence[Bound], metrics: Mapping[str, Mapping[str, float]], place: str) -> None:
    """Check that each figure keeps its bounds.

    Args:
        bounds: of the figures.
        metrics: the figures by name, each with its ``value`` and the ends of its 95 % interval, ``low`` and ``high``.
        place: the rows, for the message.

    Raises:
        UsageError: there is no such figure.
        BoundMissed: some are outside; each is named.
    """
    if missed := missed_bounds(bounds, metrics, place):
        raise BoundMissed(f"on {place} {'; '.join(missed)}: do not release this bundle")


def missed_bounds(bounds: Sequence[Bound], metrics: Mapping[str, Mapping[str, float]], place: str) -> list[str]:
    """A clause about each figure that is outside its bounds.

    Args:
        bounds: of the figures.
        metrics: as for ``check_bounds``.
        place: the rows, for the message.

    Raises:
        UsageError: there is no such figure.
    """
    for one in bounds:
        if one.figure not in metrics:
            raise UsageError(f"there is no figure {one.figure!r} on {place}: give one of {', '.join(metrics)}")
    return [
        f"{one.figure} is {metrics[one.figure]['value']:.4g} (95{PERCENT} {metrics[one.figure]['low']:.4g} to "
        f"{metrics[one.figure]['high']:.4g}), {'below the minimum' if one.least else 'above the maximum'} of "
        f"{one.value:g}"
        for one in bounds
        if not one.keeps(metrics[one.figure]["value"])
    ]
