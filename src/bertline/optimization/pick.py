"""Selection of an engine: the pick, the Pareto frontier, and the smallest significant drop."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from bertline.optimization.measure import EngineFigures
from bertline.optimization.settings import Goal
from bertline.tasks.contract import Comparison

FP32_NAME = "fp32"
LEVEL = 1.1  # times as slow as the fastest: two runs of one engine differ by as much on a busy machine


def cost(measured: EngineFigures, goal: Goal) -> float:
    """The cost to minimise: seconds per text, milliseconds of one text, or megabytes."""
    if goal == "size":
        return measured.megabytes
    return 1 / measured.speed.texts_per_s if goal == "throughput" else measured.speed.p50_ms


def pick(measured: Mapping[str, EngineFigures], goal: Goal, max_drop_points: float) -> str:
    """The cheapest engine whose measured drop on the tuning rows is allowed; fp32 if there is no other.

    Of engines that are about as fast as the fastest (``LEVEL``) it is the one that agrees most with fp32: a few rows
    tell no loss from chance, and a gain of a few per cent in speed is not worth other answers.
    """
    allowed = [name for name, figures in measured.items() if figures.quality.drop_points <= max_drop_points + 1e-9]
    costs = {name: cost(measured[name], goal) for name in allowed or [FP32_NAME]}
    most = min(costs.values()) * (1 if goal == "size" else LEVEL)
    level = [name for name, spent in costs.items() if spent <= most]
    return min(level, key=lambda name: (-measured[name].quality.agreement, costs[name]))


def frontier(measured: Mapping[str, EngineFigures], goal: Goal) -> set[str]:
    """The engines that no other one beats in both score and cost (Pareto)."""
    points = {name: (-figures.quality.value, cost(figures, goal)) for name, figures in measured.items()}
    return {
        name
        for name, (loss, spent) in points.items()
        if not any(a <= loss and b <= spent and (a, b) != (loss, spent) for a, b in points.values())
    }


def smallest_visible_drop(rows: int, disagreement: float) -> float:
    """The smallest significant drop, in points, of a paired comparison of this many rows (95 %, two-sided).

    Args:
        rows: of the comparison.
        disagreement: share of the rows on which only one of the two is right.
    """
    if rows == 0:
        return 100.0
    z = NormalDist().inv_cdf(0.975)
    return float(100 * z * (max(disagreement, 1 / rows) / rows) ** 0.5)


def visible_drop(rows: int, compared: Comparison) -> float:
    """The smallest significant drop of a task's score, in points.

    Of accuracy it follows from the rows on which only one of the two is right; of other scores it is half the width of
    the difference's interval.
    """
    if compared.score != "accuracy":
        return 50 * compared.difference.width
    return smallest_visible_drop(rows, (compared.only_first + compared.only_second) / max(1, rows))


def caveat(rows: int, max_drop_points: float, visible: float) -> str | None:
    """A warning if the rows are too few to detect this drop; else None.

    Args:
        rows: of the comparison.
        max_drop_points: the drop that is allowed.
        visible: the smallest significant drop, in points.
    """
    if visible <= max_drop_points:
        return None
    needed = int(rows * (visible / max(max_drop_points, 0.01)) ** 2)
    return (
        f"with {rows:,} rows a drop of {max_drop_points:g} points is not significant: "
        f"only drops from about {visible:.1f} points are; about {needed:,} rows would suffice"
    )
