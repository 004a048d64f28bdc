"""Figures with their intervals as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from bertline.statistics.figures import INTERVAL, figure
from bertline.statistics.intervals import Estimate


def rows(figures: Iterable[tuple[str, Estimate]]) -> list[tuple[str, str, str]]:
    """Name, value and interval of each figure, as text."""
    return [(name, *figure(name, estimate)) for name, estimate in figures]


def print_figures(title: str, figures: Iterable[tuple[str, str, str]], *, stderr: bool = False) -> None:
    """Print one line per figure: its name, value and 95 % interval."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(title)
    table.add_column("value", justify="right")
    table.add_column(INTERVAL, justify="right")
    for one in figures:
        table.add_row(*one)
    Console(stderr=stderr, highlight=False).print(table)
