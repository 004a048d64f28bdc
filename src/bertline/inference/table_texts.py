"""What a model reads of the rows of a table: which columns, and which rows it can answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

from bertline.data.columns import (
    ANCHOR_NAMES,
    PAIR_NAMES,
    POSITIVE_NAMES,
    TEXT_NAMES,
    find_column,
    shortened,
    string_fault,
    unread_fault,
)
from bertline.data.head import Head
from bertline.data.names import canonical
from bertline.data.outline import Outline
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import Reads, TableSettings
from bertline.errors import DataError
from bertline.text import Input

Legible = Callable[[str], bool]  # does the model read anything of a text?


def input_of(row: Row, columns: Sequence[str]) -> Input:
    """The text of a row, or both of a pair."""
    first, *second = (str(row.values[column]) for column in columns)
    return (first, second[0]) if second else first


def text_columns(settings: TableSettings, head: Head, reads: Reads, *, alike: bool = False) -> tuple[str, ...]:
    """The column of the text; and that of the second text of a pair, or of the text after the query's.

    Args:
        settings: may name columns.
        head: of the table.
        reads: what the model reads.
        alike: the texts of a pair may have the names of texts that embedders learn from.

    Raises:
        DataError: there is no such column, or the model reads single texts.
    """
    settings.check_reads(reads)
    if reads == "query":
        return tuple(settings.find_text_columns(head, reads).values())
    second = settings.text_pair_column
    if second is not None and reads == "text":
        raise DataError(f"--text-pair-column {second}: the model reads single texts; leave it out")
    if reads == "text":
        return (_text_column(settings, head),)
    names = (ANCHOR_NAMES, POSITIVE_NAMES) if alike else (TEXT_NAMES, PAIR_NAMES)
    pair = head.find_column(second, names[1], "text-pair")
    others = [one for one in head.columns if one != pair]
    if len(others) == 1 and settings.text_column is None:
        return others[0], pair
    return find_column(head.source, others, settings.text_column, names[0], "text"), pair


def _text_column(settings: TableSettings, head: Head) -> str:
    """The column of the text; the only one, unless what names it may be a text itself."""
    column, *others = head.columns
    if others or settings.text_column is not None:
        return settings.find_text_column(head)
    if head.format in ("csv", "tsv") and head.header and canonical(column).casefold() not in TEXT_NAMES:
        raise DataError(
            f"{head.source} has one column, and its first line is {shortened(column)!r}: pass --no-header if that is a "
            "text, or name it with --text-column if it is a header"
        )
    return column


def checked_row(
    row: Row | BadRow, texts: Sequence[str], legible: Legible, outline: Outline, required: str
) -> Row | BadRow:
    """A row with texts that the model reads and values that the output can hold, or why it is none."""
    if isinstance(row, BadRow):
        return row
    for column in texts:
        if fault := string_fault(row, column) or unread_fault(row, column, legible):
            return fault
        if required not in str(row.values[column]):
            return BadRow(row.line, f"no {required} in column {column!r}")
    return outline.fault(row) or row


def good_rows(rows: Iterator[Row | BadRow], bad: BadRows, *, skip: bool) -> Generator[Row]:
    """The good rows; bad ones are added to ``bad``.

    Raises:
        DataError: without ``skip``, there is a bad one.
    """
    for row in rows:
        if isinstance(row, Row):
            yield row
            continue
        bad.add(row)
        if not skip:
            raise bad.error()
