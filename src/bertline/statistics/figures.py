"""Figures as text, for the report, the model card and the terminal: ``84.3 %``, ``82.0–86.4``."""

from __future__ import annotations

import re

from bertline.statistics.intervals import Estimate

# A figure with one of these words in its name is a share of rows; the others are plain numbers.
_SHARES = frozenset({"accuracy", "f1", "precision", "recall", "ece", "hamming", "match", "matches"})

_TITLES = {
    "f1": "F1", "mae": "MAE", "rmse": "RMSE", "r2": "R²", "mcc": "MCC", "nll": "NLL", "ece": "ECE",
    "ndcg": "NDCG", "mrr": "MRR", "map": "MAP",
}  # fmt: skip

PERCENT = "\N{NARROW NO-BREAK SPACE}%"
INTERVAL = f"95{PERCENT} interval"


def percent(share: float, *, digits: int = 1) -> str:
    """A share as ``84.3 %``."""
    return f"{100 * share + 0.0:.{digits}f}{PERCENT}"


def how_many(number: int, noun: str) -> str:
    """A number of things, as ``1 row`` and ``12,500 rows``; the noun's plural ends in s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def rate(share: float) -> str:
    """A share that may be very small, with three digits.

    >>> rate(0.5).split(), rate(1 / 3000).split()
    (['50', '%'], ['0.0333', '%'])
    """
    return f"{100 * share:.3g}{PERCENT}"


def percent_range(estimate: Estimate) -> str:
    """The interval of a share as ``82.0–86.4``, in percent."""
    return f"{100 * estimate.low:.1f}–{100 * estimate.high:.1f}"


def gain(difference: float) -> str:
    """A difference of shares as ``+6.8 points``."""
    return f"{_signed(100 * difference)} points"


def gain_range(estimate: Estimate) -> str:
    """The interval of a difference of shares as ``+4.5 to +9.1``, in points."""
    return f"{_signed(100 * estimate.low)} to {_signed(100 * estimate.high)}"


def difference(name: str, number: float) -> str:
    """A difference of two figures: of shares in points, else as ``+0.068``."""
    return gain(number) if is_share(name) else f"{number + 0.0:+.3f}".replace("-", "−")


def difference_range(name: str, estimate: Estimate) -> str:
    """The interval of a difference, as ``+4.5 to +9.1``."""
    if is_share(name):
        return gain_range(estimate)
    return f"{difference(name, estimate.low)} to {difference(name, estimate.high)}"


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
    if is_share(name):
        return percent(estimate.value), percent_range(estimate)
    return plain(estimate.value), f"{plain(estimate.low)}–{plain(estimate.high)}".replace("–−", " to −")


def value(name: str, number: float) -> str:
    """The value of a figure without an interval, as ``figure`` writes it."""
    return percent(number) if is_share(name) else plain(number)


def title(name: str) -> str:
    """A figure's name in JSON as readable text.

    >>> title("macro_f1"), title("exact_match"), title("ndcg_at_10")
    ('macro-F1', 'exact match', 'NDCG@10')
    """
    words = [_TITLES.get(word, word) for word in name.split("_")]
    return ("-" if name.endswith("_f1") else " ").join(words).replace(" at ", "@")


def is_share(name: str) -> bool:
    """Whether a figure is a share, which is written in percent."""
    return not _SHARES.isdisjoint(re.split(r"[\s_@,-]+", name.lower()))


def plain(number: float) -> str:
    """A plain number: three decimals, fewer from 100 on, none from 10,000 on.

    >>> plain(0.5), plain(-123.456), plain(1234567.8)
    ('0.500', '−123.5', '1,234,568')
    """
    digits = 3 if abs(number) < 100 else 1 if abs(number) < 10_000 else 0
    return f"{round(number, digits) + 0.0:,.{digits}f}".replace("-", "−")


def exact(number: float) -> str:
    """A number of the data, with at most six digits: ``4.5``, ``−1,200``."""
    return f"{number + 0.0:,.6g}".replace("-", "−")


def _signed(number: float) -> str:
    text = f"{number:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text
