"""How figures are written: one place, so that report, model card and terminal say 84.3 % alike."""

from __future__ import annotations

from bertline.statistics.intervals import Estimate

# The figures of ``Evaluation.headline`` that are shares of rows; the others are plain numbers.
SHARES = frozenset({"accuracy", "macro-F1", "ECE", "ECE before temperature"})

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
    """Value and interval of a headline figure, as text: ``("84.3 %", "82.0–86.4")``."""
    if name in SHARES:
        return percent(estimate.value), percent_range(estimate)
    return _plain(estimate.value), f"{_plain(estimate.low)}–{_plain(estimate.high)}".replace("–−", " to −")


def _plain(number: float) -> str:
    return f"{number:.3f}".replace("-", "−")


def _signed(number: float) -> str:
    text = f"{number:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text
