"""Texts of files: of tables with a column of text, and of .txt files with one text per line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import TypeVar

from bertline.data.columns import text_fault
from bertline.data.decoding import lines_of, text_of
from bertline.data.formats import is_gzip_name, name_of
from bertline.data.rows import BadRow, BadRows, line_fault
from bertline.data.settings import Reads, TableSettings
from bertline.data.table import check_file, open_table
from bertline.errors import DataError
from bertline.text.reading import Input

PLAIN = ".txt"
HELD_OUT_EVERY = 20

Settings = TypeVar("Settings", bound=TableSettings)


@dataclass
class Corpus:
    """The texts of several files, read one after the other in constant memory.

    Attributes:
        sources: tables and .txt files, plain or gzipped; ``-`` is standard input.
        settings: how the tables are read.
        texts: further texts, which come first.
        read: texts read so far.
        skipped: bad rows left out so far.
    """

    sources: Sequence[str]
    settings: TableSettings
    texts: Sequence[str] = ()
    read: int = field(default=0, init=False)
    skipped: int = field(default=0, init=False)

    @property
    def names(self) -> str:
        """The files' names in messages."""
        return " and ".join(name_of(source, "input") for source in self.sources) or "the table"

    def __iter__(self) -> Iterator[str]:
        """Every text in order.

        Raises:
            DataError: a file or one of its rows cannot be used, or a file has no text.
        """
        self.read, self.skipped = len(self.texts), 0
        yield from self.texts
        for source in self.sources:
            bad = BadRows(name_of(source, "input"))
            reads: Reads = "text" if self.settings.query_column is None else "query"
            before = self.read
            for _, one in inputs_of(source, settings_beside(source, self.settings), bad, reads=reads):
                texts = (one,) if isinstance(one, str) else one
                self.read += len(texts)
                yield from texts
            if bad and not self.settings.skip_bad_rows:
                raise bad.error()
            if self.read == before and not bad:
                raise DataError(f"{bad.source} has no texts: give rows with a text")
            self.skipped += len(bad)
        if not self.read:
            raise DataError(f"{self.names} has no texts: give rows with a text")


def is_held_out(text: str) -> bool:
    """Whether a text is among the one of twenty that are held out: by its hash, so that equal texts are together."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_EVERY == 0


def inputs_of(
    source: str, settings: TableSettings, bad: BadRows, *, reads: Reads = "text"
) -> Iterator[tuple[int, Input]]:
    """The line and the text, or the pair of texts, of each row of a file; ``bad`` gets the other rows.

    Args:
        source: a .txt file has one text per line and no pairs; with a format in the settings, it is a table.
        settings: of this very file.
        bad: its place is set to what the rows are counted in.
        reads: the texts to take from a table.

    Raises:
        DataError: the file cannot be used.
    """
    if is_plain(source, settings):
        return _lines(source, settings.encoding, bad)
    return _rows(source, settings, bad, reads)


def settings_beside(source: str, settings: Settings) -> Settings:
    """How a file is read that is not the first one of a command: its suffix says its format, if it has one.

    >>> settings_beside("more.txt", TableSettings(format="csv")).format
    >>> settings_beside("more.json", TableSettings(format="jsonl")).format
    'jsonl'
    """
    return settings.model_copy(update={"format": None}) if _has_lines(source) else settings.beside(source)


def is_plain(source: str, settings: TableSettings) -> bool:
    """Whether a file has one text per line: by its name, if the settings give no format."""
    return settings.format is None and _has_lines(source)


def _has_lines(source: str) -> bool:
    """Whether the name is that of a file with one text per line.

    >>> _has_lines("reviews.TXT.gz"), _has_lines("reviews.csv"), _has_lines("-")
    (True, False, False)
    """
    path = PurePath(source)
    return PurePath(path.stem if is_gzip_name(source) else path.name).suffix.lower() == PLAIN


def _lines(source: str, encoding: str, bad: BadRows) -> Iterator[tuple[int, Input]]:
    check_file(Path(source), source)
    with open_table(source, source) as stream, text_of(stream, source, encoding) as (text, codec):
        for number, line in enumerate(lines_of(text, source, codec), 1):
            fault = line_fault(line, codec)
            if fault is not None:
                bad.add(BadRow(number, *fault))
            elif line.strip():
                yield number, line.strip()


def _rows(source: str, settings: TableSettings, bad: BadRows, reads: Reads) -> Iterator[tuple[int, Input]]:
    head, rows = settings.opened(source)
    head.require_rows("rows with a text", skip=settings.skip_bad_rows)
    bad.place = head.place
    columns = [*settings.find_text_columns(head, reads).values()]
    for row in rows:
        if isinstance(row, BadRow):
            bad.add(row)
        elif fault := next(filter(None, (text_fault(row, column) for column in columns)), None):
            bad.add(fault)
        else:
            first, *second = (str(row.values[column]) for column in columns)
            yield row.line, (first, second[0]) if second else first
