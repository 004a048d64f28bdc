"""Read a file with one text per line as a table with the one column ``text``; each fault has its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bertline.data.corpus import is_plain
from bertline.data.decoding import lines_of, text_of
from bertline.data.head import Head, take_head
from bertline.data.rows import BadRow, Row, line_fault
from bertline.data.settings import TableSettings
from bertline.data.table import check_file, open_table
from bertline.errors import UsageError

COLUMN = "text"
EMPTY = "an empty line"
# Settings that only tables have.
OF_COLUMNS = ("text_column", "text_pair_column", "query_column", "delimiter", "no_header")


def open_text_lines(source: str, settings: TableSettings) -> tuple[Head, Iterator[Row | BadRow]]:
    """The head and all rows of a ``.txt`` file; empty lines at its end do not count, and others are bad rows.

    Raises:
        UsageError: columns are named, which such a file has not.
        DataError: the file cannot be read; while reading, if it is damaged.
    """
    check_lines(source, settings)
    check_file(Path(source), source)
    return take_head(source, "csv", _rows(source, settings.encoding), header=False)


def check_lines(source: str, settings: TableSettings) -> bool:
    """Whether a file has one text per line.

    Raises:
        UsageError: it has, and columns are named.
    """
    if not is_plain(source, settings):
        return False
    for name in OF_COLUMNS:
        if getattr(settings, name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{flag} is for tables, and {source} has one text per line: leave it out, or pass --format if the file "
                "is a table"
            )
    return True


def _rows(source: str, encoding: str) -> Iterator[Row | BadRow]:
    empty: list[BadRow] = []
    with open_table(source, source) as stream, text_of(stream, source, encoding) as (text, codec):
        for number, line in enumerate(lines_of(text, source, codec), 1):
            one = line.rstrip("\r\n")
            if not one.strip():
                empty.append(BadRow(number, EMPTY))
                continue
            yield from empty
            empty.clear()
            fault = line_fault(one, codec)
            yield BadRow(number, *fault) if fault else Row(number, {COLUMN: one})
