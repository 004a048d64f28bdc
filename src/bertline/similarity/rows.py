"""Rows of a table, or lines of a .txt file, that can be embedded, written as JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bertline.data.columns import text_fault, unread_fault
from bertline.data.corpus import inputs_of, is_plain
from bertline.data.formats import name_of
from bertline.data.outline import Outline
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import TableSettings
from bertline.data.table import open_writer
from bertline.errors import DataError, SettingsError
from bertline.similarity.index import LINES, ROWS
from bertline.similarity.notify import Notify, quiet

Legible = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written.

    Attributes:
        text_column: of the text.
        place: unit of the rows' places in the table.
        rows: number of rows.
        bad: rows left out.
    """

    text_column: str
    place: str
    rows: int
    bad: BadRows


def store_rows(
    source: str, settings: TableSettings, legible: Legible, directory: Path, notify: Notify = quiet
) -> Stored:
    """Write the rows of a table to ``directory``, with their lines.

    Args:
        source: a table or a .txt file, or ``-``.
        settings: how it is read.
        legible: does the model read anything of a text?
        directory: where ``rows.jsonl`` and ``lines.npy`` go.
        notify: gets the rows that are done.

    Raises:
        SettingsError: columns of pairs or queries are set.
        DataError: the table or a row cannot be used, or there are no rows.
    """
    column, bad, columns, rows = _opened(source, settings)
    lines: list[int] = []
    with open_writer(directory / ROWS, format="jsonl", columns=columns) as writer:
        outline = Outline(bad.source, "jsonl", bad.place)
        for row in rows:
            one = row if isinstance(row, BadRow) else _fault(row, column, legible, outline) or row
            if isinstance(one, BadRow):
                bad.add(one)
                continue
            writer.write(one.values)
            lines.append(one.line)
            notify("reading", len(lines), None)
    if bad and not (lines and settings.skip_bad_rows):
        raise bad.error(skipped=settings.skip_bad_rows)
    if not lines:
        raise DataError(f"{bad.source} has no texts: give rows with a text")
    np.save(directory / LINES, np.array(lines, dtype=np.int64))
    return Stored(column, bad.place, len(lines), bad)


def _opened(source: str, settings: TableSettings) -> tuple[str, BadRows, tuple[str, ...], Iterator[Row | BadRow]]:
    """The column of the text, a count of bad rows, all columns, and the rows."""
    settings.check_reads("text")
    if settings.text_pair_column is not None:
        raise SettingsError("text_pair_column is set, but texts are embedded one by one: leave it out")
    if is_plain(source, settings):
        bad = BadRows(name_of(source, "input"))
        return "text", bad, ("text",), (Row(line, {"text": text}) for line, text in inputs_of(source, settings, bad))
    head, rows = settings.opened(source)
    head.require_rows("rows with a text", skip=settings.skip_bad_rows)
    return settings.find_text_column(head), head.bad_rows(), head.columns, rows


def _fault(row: Row, column: str, legible: Legible, outline: Outline) -> BadRow | None:
    return text_fault(row, column) or unread_fault(row, column, legible) or outline.fault(row)
