"""A table to rows, in constant memory: CSV, TSV, JSON lines, Parquet or CoNLL, plain or gzipped, or standard input.

The seam of the readers and writers: one function in, one function out. Values come as the format has them:
strings from CSV and TSV, JSON's and Parquet's own types from the others. Whether a text or a label is sound
is checked in ``examples``.
"""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from bertline.data.conll import read_conll
from bertline.data.decoding import DAMAGED, Bytes, damaged, lines_of, text_of
from bertline.data.delimited import Header, named, read_delimited, unnamed
from bertline.data.formats import STANDARD, Format, Location, delimiter_of, format_of, name_of
from bertline.data.json_lines import read_json_lines
from bertline.data.offsets import MARK, Offsets
from bertline.data.rows import BadRow, Row, TableFault
from bertline.data.writer import RowWriter, open_writer
from bertline.errors import DataError

__all__ = ["BadRow", "Row", "RowWriter", "file_format", "open_writer", "read_bytes", "read_rows"]

GZIP_MAGIC = b"\x1f\x8b"
NOT_TEXT = {
    b"PK\x03\x04": ("is a zip archive or an Excel workbook", "save the table as CSV"),
    b"PAR1": ("is a Parquet file", "name it .parquet or pass --format parquet"),
}


def read_rows(
    source: Location | io.BufferedReader,
    *,
    format: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool = True,
    name: str | None = None,
    offsets: Offsets | None = None,
) -> Iterator[Row | BadRow]:
    """The rows of a table in order, bad ones in their place.

    Args:
        source: a path, or ``-`` for standard input; or an open file, with ``format`` and ``name``. Gzip is recognised
            by its first bytes, not by its name.
        format: csv, tsv, jsonl, parquet or conll; by default what the suffix says, and CSV for ``-``.
        encoding: of all but Parquet; where it is UTF-8, UTF-16 and UTF-32 are recognised too.
        delimiter: of CSV and TSV, as for ``delimiter_of``; by default what the header says.
        header: whether the first row of CSV and TSV names the columns; else they are ``column_1`` and so on.
        name: of the table in messages, if it is not that of ``source``.
        offsets: learns where lines begin, in the bytes after decompression; not of Parquet.

    Raises:
        DataError: at once if the file is not there or its format is not known; while reading if it is empty,
            damaged or not what its name says.
        SettingsError: the format is unknown, or the delimiter is invalid.
    """
    if isinstance(source, io.BufferedReader):
        name, kind = name or "the table", format_of("", format)
    else:
        name, kind = name or name_of(source, "input"), format_of(source, format)
        if source != STANDARD:
            check_file(Path(source), name)
    between = None if delimiter is None else delimiter_of(delimiter)
    if kind == "parquet":
        return _parquet_rows(source, name)
    return _opened_text_rows(source, name, kind, encoding, between, named if header else unnamed, offsets)


def check_file(path: Path, name: str) -> None:
    """Check that a table is a file.

    Raises:
        DataError: it is missing, a directory, or out of reach.
    """
    try:
        directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name} does not exist: check the path") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}): check the path and its permissions") from error
    if directory:
        raise DataError(f"{name} is a directory: give a file in it")


def file_format(source: Location, given: str | None = None) -> Format:
    """The format of a table to read, as ``format_of``; a file that is missing is named as that first.

    Raises:
        SettingsError, DataError: as ``format_of``, or as ``check_file``.
    """
    if source != STANDARD:
        check_file(Path(source), name_of(source, "input"))
    return format_of(source, given)


def read_bytes(
    body: bytes,
    name: str,
    *,
    format: Literal["csv", "tsv", "jsonl"],
    encoding: str = "utf-8",
    header: Header = named,
) -> Generator[Row | BadRow]:
    """The rows of a table in memory, such as a request body, read like a file.

    Args:
        body: not gzipped.
        name: in messages.
        format: of text.
        encoding: as for ``read_rows``.
        header: as for ``read_delimited``.

    Raises:
        DataError: while reading, as for ``read_rows``.
    """
    return _text_rows(io.BufferedReader(cast(Any, io.BytesIO(body))), name, format, encoding, None, header)


def _text_rows(
    stream: Bytes,
    name: str,
    kind: str,
    encoding: str,
    delimiter: str | None,
    header: Header,
    offsets: Offsets | None = None,
) -> Generator[Row | BadRow]:
    _refuse_other_kinds(stream, name)
    mark = stream.peek(len(MARK)).startswith(MARK)
    with text_of(stream, name, encoding) as (text, codec):
        lines = lines_of(text, name, codec)
        if offsets is not None:
            lines = offsets.watched(lines, codec, mark and codec == "utf-8")
        if kind == "jsonl":
            yield from read_json_lines(lines, name, codec)
        elif kind == "conll":
            yield from read_conll(lines, codec)
        else:
            yield from read_delimited(lines, name, delimiter, codec, header, usual="\t" if kind == "tsv" else ",")


def _opened_text_rows(
    source: Location | io.BufferedReader,
    name: str,
    kind: str,
    encoding: str,
    delimiter: str | None,
    header: Header,
    offsets: Offsets | None,
) -> Iterator[Row | BadRow]:
    with open_table(source, name) as stream:
        yield from _text_rows(stream, name, kind, encoding, delimiter, header, offsets)


def _parquet_rows(source: Location | io.BufferedReader, name: str) -> Iterator[Row | BadRow]:
    from bertline.data.parquet import read_parquet  # needs pyarrow, which an install may lack

    with ExitStack() as stack:
        stream = stack.enter_context(open_table(source, name))
        if isinstance(stream, gzip.GzipFile) or not stream.seekable():  # Parquet is read from its end
            spool = stack.enter_context(tempfile.TemporaryFile())
            try:
                shutil.copyfileobj(stream, spool)
            except DAMAGED as error:
                raise damaged(name, "", error) from error
            stream = cast(io.BufferedReader, spool)
            stream.seek(0)
        yield from read_parquet(stream, name)


@contextmanager
def open_table(source: Location | io.BufferedReader, name: str) -> Iterator[Bytes]:
    """The bytes of a table, decompressed. Standard input and an open file are left open."""
    with ExitStack() as stack:
        if isinstance(source, io.BufferedReader):
            stream = source
        else:
            stream = _standard_input(stack) if source == STANDARD else _file(Path(source), name, stack)
        if stream.peek(2).startswith(GZIP_MAGIC):
            yield stack.enter_context(gzip.GzipFile(fileobj=stream))
        else:
            yield stream


def _standard_input(stack: ExitStack) -> io.BufferedReader:
    if isinstance(sys.stdin.buffer, io.BufferedReader):
        return sys.stdin.buffer
    stream: io.BufferedReader = io.BufferedReader(cast(Any, sys.stdin.buffer))  # bytes in memory have no peek
    stack.callback(stream.detach)
    return stream


def _file(path: Path, name: str, stack: ExitStack) -> io.BufferedReader:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}): check its permissions") from error
    stack.callback(stream.close)
    return stream


def _refuse_other_kinds(stream: Bytes, name: str) -> None:
    try:
        head = stream.peek(4)
    except DAMAGED as error:
        raise damaged(name, "", error) from error
    for magic, (fault, remedy) in NOT_TEXT.items():
        if head.startswith(magic):
            raise TableFault(name, fault, remedy)
