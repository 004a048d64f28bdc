"""How figures are written in the report, in the model card and on the terminal: ``84.3 %``, ``82.0–86.4``."""

from __future__ import annotations

import re

from bertline.statistics.intervals import Estimate

# A figure with one of these words in its name is a share of rows; the others are plain numbers.
_SHARES = frozenset({"accuracy", "f1", "precision", "recall", "ece"})

_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(share: float, *, digits: int = 1) -> str:
    """A share as ``84.3 %``."""
    return f"{100 * share + 0.0:.{digits}f}{_SPACE}%"


def percent_range(estimate: Estimate) -> str:
    """The interval of a share as ``82.0–86.4``, in percent."""
    return f"{100 * estimate.low:.1f}–{100 * estimate.high:.1f}"


def gain(difference: float) -> str:
    """A difference of shares as ``+6.8 points``."""
    return f"{_signed(100 * difference)} points"


def gain_range(estimate: Estimate) -> str:
    """The interval of a difference of shares as ``+4.5 to +9.1``, in points."""
    return f"{_signed(100 * estimate.low)} to {_signed(100 * estimate.high)}"


def p_value(p: float) -> str:
    """A p-value as ``p = 0.03`` or ``p < 0.001``."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def figure(name: str, estimate: Estimate) -> tuple[str, str]:
    """Value and interval of a figure as text: ``("84.3 %", "82.0–86.4")``.

    >>> figure("macro_f1", Estimate(0.5, 0.25, 0.75))[1], figure("NLL", Estimate(0.5, 0.25, 0.75))[1]
    ('25.0–75.0', '0.250–0.750')
    """
    if _is_share(name):
        return percent(estimate.value), percent_range(estimate)
    return plain(estimate.value), f"{plain(estimate.low)}–{plain(estimate.high)}".replace("–−", " to −")


def value(name: str, number: float) -> str:
    """The value of a figure without an interval, as ``figure`` writes it."""
    return percent(number) if _is_share(name) else plain(number)


def _is_share(name: str) -> bool:
    return not _SHARES.isdisjoint(re.split(r"[\s_-]+", name.lower()))


def plain(number: float) -> str:
    """A plain number with three decimals."""
    return f"{number:.3f}".replace("-", "−")


def _signed(number: float) -> str:
    text = f"{number:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text
