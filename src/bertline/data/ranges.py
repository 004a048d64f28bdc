"""A range of a table's rows, read without the rows before it.

Text: the bytes of the header and those of the range are read as if they were the whole file, so that every row is
parsed, and every bad row found, as in the whole. Parquet: by row groups.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

from bertline.data.decoding import Bytes
from bertline.data.formats import Format
from bertline.data.rows import BadRow, Row
from bertline.data.table import open_table, read_rows
from bertline.errors import DataError

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Preamble:
    """What every range of a text table is read with: the byte order mark, and the header or, without one, row 1."""

    bytes: int = 0
    lines: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of one table.

    Attributes:
        line: of the first row, as ``Row.line`` counts; of Parquet the row's number.
        start: first byte, and of Parquet the number of rows before.
        end: first byte after the last row, and of Parquet the number of rows up to the last; 0 for text is the end.
        sha256: of the bytes; empty for Parquet and for a whole file.
    """

    line: int
    start: int
    end: int
    sha256: str = ""


def range_rows(
    stream: io.BufferedReader,
    name: str,
    part: Range,
    preamble: Preamble,
    *,
    format: Format,
    encoding: str,
    delimiter: str | None,
    header: bool,
) -> Iterator[Row | BadRow]:
    """The rows of a range.

    Args:
        stream: of the whole file, seekable; gzip is decompressed from the beginning.
        name: of the table, for messages.
        part: the range.
        preamble: of the table.
        format: as for ``read_rows``.
        encoding: as for ``read_rows``.
        delimiter: as for ``read_rows``.
        header: as for ``read_rows``.

    Raises:
        DataError: as ``read_rows``, or the bytes are not those of which the range was made.
    """
    if format == "parquet":
        yield from _parquet_range(stream, name, part)
        return
    content = stream
    if part.start == 0:  # it has its own header
        preamble = Preamble()
    if part.end:
        with open_table(stream, name) as whole:
            head = whole.read(preamble.bytes)
            content = io.BufferedReader(cast(Any, _After(head, _checked(whole, name, part))))
    rows = read_rows(content, format=format, encoding=encoding, delimiter=delimiter, header=header, name=name)
    shift = part.line - 1 - preamble.lines
    for row in islice(rows, preamble.rows, None):
        yield replace(row, line=row.line + shift)


def _checked(whole: Bytes, name: str, part: Range) -> bytes:
    """The bytes of a range, which memory holds."""
    whole.seek(part.start)
    content = whole.read(part.end - part.start)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise changed(name)
    return content


def changed(name: str) -> DataError:
    """The error about an input that is not what it was when the job began."""
    return DataError(
        f"{name} has changed since its shards were cut: put the old one back, or begin anew with another --output"
    )


class _After(io.RawIOBase):
    """Two runs of bytes, one after the other."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = [memoryview(one) for one in parts if one]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._parts:
            return 0
        taken = self._parts[0][: min(len(buffer), _CHUNK_BYTES)]
        buffer[: len(taken)] = taken
        self._parts[0] = self._parts[0][len(taken) :]
        if not self._parts[0]:
            del self._parts[0]
        return len(taken)


def _parquet_range(stream: io.BufferedReader, name: str, part: Range) -> Iterator[Row]:
    from bertline.data.parquet import read_parquet  # needs pyarrow, which an install may lack

    yield from read_parquet(cast(Any, stream), name, first=part.start, last=part.end)
