"""Rows of plain values as text, as HTML and as a pandas table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bertline.errors import needing
from bertline.library import notebook

if TYPE_CHECKING:
    import pandas

Records = Sequence[Mapping[str, Any]]

WIDEST = 60  # characters of a cell in a text


def as_text(rows: Records, limit: int | None = None) -> str:
    """Aligned columns under their names, numbers to the right."""
    columns = columns_of(rows)
    shown = rows if limit is None else rows[:limit]
    cells = [[_shortened(_written(row.get(name))) for name in columns] for row in shown]
    numeric = [any(_is_number(row.get(name)) for row in shown) for name in columns]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in (columns, *cells)
    )
    more = "" if len(shown) == len(rows) else f"\n… {len(rows) - len(shown):,} more"
    return "\n".join(lines) + more


def as_html(rows: Records) -> str:
    """The same as a table of HTML."""
    columns = columns_of(rows)
    return notebook.table(
        columns, ([(_written(row.get(name)), _is_number(row.get(name))) for name in columns] for row in rows)
    )


def as_pandas(rows: Records, columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """A pandas table with a line per row.

    Raises:
        UsageError: pandas is not installed.
    """
    with needing("to_pandas needs pandas", "pandas", extra="pandas"):
        import pandas
    return pandas.DataFrame([dict(row) for row in rows], columns=list(columns or columns_of(rows)))


def columns_of(rows: Records) -> list[str]:
    """Every key, in the order in which they come up."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Any) -> str:
    """A cell as people read it.

    >>> [_written(one) for one in (None, True, 12345, 0.84321, 83.21, 1234.5, "x", ["a", "b"])]
    ['', 'yes', '12,345', '0.843', '83.2', '1,234', 'x', 'a, b']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        digits = 3 if abs(value) < 10 else 1 if abs(value) < 100 else 0
        return f"{value:,.{digits}f}"
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    if isinstance(value, Mapping) and {"text", "label"} <= value.keys():  # an entity
        return f"{value['text']} ({value['label']})"
    return str(value)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"
