"""Figures with their intervals as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bertline.statistics.intervals import Estimate


def print_figures(title: str, figures: Sequence[tuple[str, Estimate]], *, stderr: bool = False) -> None:
    """Print one line per figure: value and 95 % interval, three decimals."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(title)
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, one in figures:
        table.add_row(name, f"{one.value:.3f}", f"{one.low:.3f} – {one.high:.3f}")
    Console(stderr=stderr, highlight=False).print(table)
