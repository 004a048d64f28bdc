"""Is the challenger no worse than the champion, on all rows and on each slice?"""

from __future__ import annotations

import math
from statistics import NormalDist

from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.rows import Judged
from bertline.lifecycle.gate.settings import GateSettings
from bertline.statistics.figures import how_many
from bertline.statistics.paired import mcnemar
from bertline.statistics.shift.permutation import holm
from bertline.tasks.contract import Comparison

LEVEL = 0.05
LEAST_SLICE = 20  # rows; smaller slices say nothing


def non_inferior(judged: Judged, settings: GateSettings, *, fresh: bool = False) -> Check:
    """The lower end of the paired 95 % interval of the difference must lie above minus the margin.

    A challenger that is worse by the margin then passes with a chance of 2.5 %, and of 2.5 % / ``looks`` with several
    looks at the same rows (Bonferroni). The interval of two models that answer alike is not narrower than what no
    loss among so few rows leaves open. Where it contains both the margin and no difference, nobody can tell, and the
    check says how many rows would.
    """
    found = judged.comparison()
    value, margin, rows = found.difference.value, settings.margin / 100, len(judged.readings)
    sure = NormalDist().inv_cdf(1 - LEVEL / 2 / settings.looks)
    hidden = sure**2 / (rows + sure**2)
    low = min(_widened(found, found.difference.low, sure), value - hidden)
    high = max(_widened(found, found.difference.high, sure), value + hidden)
    said = (
        f"{found.score} {_points(value)} points against the champion ({_points(low)} to {_points(high)}), at most "
        f"{settings.margin:g} may be lost"
    )
    name = f"{'fresh' if fresh else 'frozen'} rows · {judged.name}"
    figures = {
        "score": found.score,
        "rows": rows,
        "value": found.value,
        "difference": {"value": value, "low": low, "high": high},
        "p": found.p_value,
        "only_challenger": found.only_first,
        "only_champion": found.only_second,
        "margin": margin,
        "looks": settings.looks,
    }
    if low > -margin:
        return Check(name, "yes", said, figures)
    if high < 0 or value <= -margin:
        return Check(name, "no", said, figures)
    room = margin + value
    needed = max(rows_needed(value - _widened(found, found.difference.low, sure), room, rows), rows_hiding(room, sure))
    return Check(
        name,
        "undecided",
        f"{said}; {how_many(rows, 'row')} cannot tell, about {needed:,} would",
        {**figures, "needed": needed},
    )


def rows_needed(half: float, room: float, rows: int) -> int:
    """Rows with which an interval that is ``half`` wide below its value would fit into ``room``: it shrinks by √n.

    >>> rows_needed(0.03, 0.02, 400)
    900
    """
    return _rounded_up(rows * (half / room) ** 2)


def rows_hiding(share: float, sure: float) -> int:
    """Rows none of which would show a loss of this share of all rows so rarely (Wilson's interval of 0 hits).

    >>> rows_hiding(0.02, 1.96)
    190
    """
    return _rounded_up(sure**2 * (1 - share) / share)


def _rounded_up(rows: float) -> int:
    """Two digits of a number of rows."""
    digits = max(0, math.floor(math.log10(max(rows, 1.0))) - 1)
    return int(math.ceil(round(rows / 10**digits, 6)) * 10**digits)


def slices(judged: Judged, settings: GateSettings) -> Check:
    """On no slice may it lose more than the slice margin, where that is no chance (Holm over the slices)."""
    found = [(name, int(mask.sum()), judged.comparison(mask)) for name, mask in judged.slices(LEAST_SLICE)]
    name = f"slices · {judged.name}"
    if not found:
        return Check(name, "yes", f"no slice has {LEAST_SLICE} rows")
    adjusted = holm([_worse_p(one) for _, _, one in found], None)
    worst, rows, loss = min(found, key=lambda one: one[2].difference.value)
    figures = {
        own: {"rows": number, "value": one.value, "difference": one.difference.to_json(), "p": p}
        for (own, number, one), p in zip(found, adjusted, strict=True)
    }
    bad = [
        (own, number, one)
        for (own, number, one), p in zip(found, adjusted, strict=True)
        if one.difference.value <= -settings.slice_margin / 100 and p <= LEVEL
    ]
    if bad:
        worst, rows, loss = min(bad, key=lambda one: one[2].difference.value)
        return Check(
            name, "no", f"{worst}: {_points(loss.difference.value)} points on {how_many(rows, 'row')}", figures
        )
    sentence = f"worst of {len(found)}: {worst}, {_points(loss.difference.value)} points on {how_many(rows, 'row')}"
    return Check(name, "yes", sentence, figures)


def _worse_p(found: Comparison) -> float:
    """One-sided: how surprising so many losses are, if the challenger were as good."""
    two_sided = mcnemar(found.only_first, found.only_second)
    return two_sided / 2 if found.difference.value < 0 else 1.0


def _widened(found: Comparison, end: float, sure: float) -> float:
    """An end of the 95 % interval, moved away to the interval of so many standard errors."""
    return found.difference.value + (end - found.difference.value) * sure / NormalDist().inv_cdf(1 - LEVEL / 2)


def _points(share: float) -> str:
    return f"{100 * share + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")
