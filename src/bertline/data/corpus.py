"""Texts of files: of tables with a column of text, and of .txt files with one text per line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from bertline.data.columns import PAIR_NAMES, text_fault
from bertline.data.decoding import lines_of, text_of
from bertline.data.formats import is_gzip_name, name_of
from bertline.data.rows import BadRow, BadRows, line_fault
from bertline.data.settings import TableSettings
from bertline.data.table import check_file, open_table
from bertline.errors import DataError

PLAIN = ".txt"


@dataclass
class Corpus:
    """The texts of several files, read one after the other in constant memory.

    Attributes:
        sources: tables and .txt files, plain or gzipped; ``-`` is standard input.
        settings: how the tables are read.
        read: texts read so far.
        skipped: bad rows left out so far.
    """

    sources: Sequence[str]
    settings: TableSettings
    read: int = 0
    skipped: int = field(default=0, init=False)

    @property
    def names(self) -> str:
        """The files' names in messages."""
        return " and ".join(name_of(source, "input") for source in self.sources)

    def __iter__(self) -> Iterator[str]:
        """Every text in order.

        Raises:
            DataError: a file or one of its rows cannot be used, or there is no text.
        """
        self.read = self.skipped = 0
        for source in self.sources:
            bad = BadRows(name_of(source, "input"))
            for _, text in texts_of(source, settings_beside(source, self.settings), bad):
                self.read += 1
                yield text
            if bad and not self.settings.skip_bad_rows:
                raise bad.error()
            self.skipped += len(bad)
        if not self.read:
            raise DataError(f"{self.names} has no texts: give rows with a text")


def texts_of(source: str, settings: TableSettings, bad: BadRows) -> Iterator[tuple[int, str]]:
    """The line and the text of each row of a file, of pairs each of the two; ``bad`` gets the other rows.

    Args:
        source: a .txt file is read as a table if the settings give a format.
        settings: of this very file.
        bad: its place is set to what the rows are counted in.

    Raises:
        DataError: the file cannot be used.
    """
    return _lines(source, settings.encoding, bad) if _is_plain(source, settings) else _columns(source, settings, bad)


def settings_beside(source: str, settings: TableSettings) -> TableSettings:
    """How a file is read that is not the first one of a command: its suffix says its format, if it has one.

    >>> settings_beside("more.txt", TableSettings(format="csv")).format
    >>> settings_beside("more.json", TableSettings(format="jsonl")).format
    'jsonl'
    """
    return settings.model_copy(update={"format": None}) if is_plain(source) else settings.beside(source)


def _is_plain(source: str, settings: TableSettings) -> bool:
    return settings.format is None and is_plain(source)


def is_plain(source: str) -> bool:
    """Whether a file has one text per line, by its name.

    >>> is_plain("reviews.TXT.gz"), is_plain("reviews.csv"), is_plain("-")
    (True, False, False)
    """
    path = PurePath(source)
    return PurePath(path.stem if is_gzip_name(source) else path.name).suffix.lower() == PLAIN


def _lines(source: str, encoding: str, bad: BadRows) -> Iterator[tuple[int, str]]:
    check_file(Path(source), source)
    with open_table(source, source) as stream, text_of(stream, source, encoding) as (text, codec):
        for number, line in enumerate(lines_of(text, source, codec), 1):
            fault = line_fault(line, codec)
            if fault is not None:
                bad.add(BadRow(number, *fault))
            elif line.strip():
                yield number, line.strip()


def _columns(source: str, settings: TableSettings, bad: BadRows) -> Iterator[tuple[int, str]]:
    head, rows = settings.opened(source)
    head.require_rows("rows with a text", skip=settings.skip_bad_rows)
    bad.place = head.place
    columns = [settings.find_text_column(head)]
    if (pair := settings.text_pair_column) is not None:
        columns.append(head.find_column(pair, PAIR_NAMES, "text-pair"))
    for row in rows:
        if isinstance(row, BadRow):
            bad.add(row)
        elif fault := next(filter(None, (text_fault(row, column) for column in columns)), None):
            bad.add(fault)
        else:
            yield from ((row.line, str(row.values[column])) for column in columns)
