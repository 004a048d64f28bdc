"""What more labels would buy a model, by the learning curve that its bundle carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertline.statistics.intervals import Estimate
from bertline.statistics.power_law import fall


def gain_of(metrics: Mapping[str, Any], more: int) -> Estimate | None:
    """The gain of accuracy with so many more labelled rows; None where the bundle cannot say.

    Args:
        metrics: of the bundle's manifest.
        more: labelled rows, chosen at random.
    """
    try:
        curve, accuracy = metrics["more_labels"], metrics["accuracy"]
        return fall(1 - accuracy["value"], curve["rows"], more, Estimate(**curve["slope"]))
    except (KeyError, TypeError, ArithmeticError):  # of an earlier version, of another task, or made by others
        return None
