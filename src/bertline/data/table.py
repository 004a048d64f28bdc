"""A table to rows, in constant memory: CSV, TSV, JSON lines or Parquet, plain or gzipped, or standard input.

The seam of the readers and writers: one function in, one function out. Values come as the format has them:
strings from CSV and TSV, JSON's and Parquet's own types from the others. Whether a text or a label is sound
is for ``examples`` to say.
"""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from bertline.data.delimited import read_delimited
from bertline.data.formats import STANDARD, Location, format_of, name_of
from bertline.data.json_lines import read_json_lines
from bertline.data.rows import BadRow, Row
from bertline.data.writer import RowWriter, open_writer
from bertline.errors import DataError

__all__ = ["BadRow", "Row", "RowWriter", "open_writer", "read_rows"]

GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
NOT_TEXT = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook: save the table as CSV",
    b"PAR1": "is a Parquet file: name it .parquet or pass --format parquet",
}
UTF8_NAMES = ("utf-8", "utf8", "utf_8")

Bytes = io.BufferedReader | gzip.GzipFile
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


def read_rows(source: Location, *, format: str | None = None, encoding: str = "utf-8") -> Iterator[Row | BadRow]:
    """The rows of a table in order, bad ones in their place.

    Args:
        source: a path, or ``-`` for standard input. Gzip is recognised by its first bytes, whatever the name.
        format: csv, tsv, jsonl or parquet; by default what the suffix says, and CSV for ``-``.
        encoding: of CSV, TSV and JSON lines; UTF-8 may begin with a byte order mark.

    Raises:
        DataError: at once if the file is not there or its format is not known; while reading if it is empty,
        damaged
            or not what its name says.
        SettingsError: an unknown format.
    """
    name, kind = name_of(source, "input"), format_of(source, format)
    if source != STANDARD:
        _check_file(Path(source), name)
    return _parquet_rows(source, name) if kind == "parquet" else _text_rows(source, name, kind, encoding)


def _check_file(path: Path, name: str) -> None:
    try:
        directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name} does not exist: check the path") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}): check the path and its permissions") from error
    if directory:
        raise DataError(f"{name} is a directory: give a file in it")


def _text_rows(source: Location, name: str, kind: str, encoding: str) -> Iterator[Row | BadRow]:
    with _opened(source, name) as stream:
        _refuse_other_kinds(stream, name, encoding)
        with _decoded(stream, name, encoding) as text:
            lines = _lines(text, name, encoding)
            if kind == "jsonl":
                yield from read_json_lines(lines, name, encoding)
            else:
                yield from read_delimited(lines, name, "\t" if kind == "tsv" else ",", encoding)


def _parquet_rows(source: Location, name: str) -> Iterator[Row | BadRow]:
    from bertline.data.parquet import read_parquet  # needs pyarrow, which an install may lack

    with ExitStack() as stack:
        stream = stack.enter_context(_opened(source, name))
        if isinstance(stream, gzip.GzipFile) or not stream.seekable():  # Parquet is read from its end
            spool = stack.enter_context(tempfile.TemporaryFile())
            try:
                shutil.copyfileobj(stream, spool)
            except DAMAGED as error:
                raise _damaged(name, "", error) from error
            stream = cast(io.BufferedReader, spool)
            stream.seek(0)
        yield from read_parquet(stream, name)


@contextmanager
def _opened(source: Location, name: str) -> Iterator[Bytes]:
    """The bytes of a table, decompressed. Standard input is left open."""
    with ExitStack() as stack:
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


def _refuse_other_kinds(stream: Bytes, name: str, encoding: str) -> None:
    try:
        head = stream.peek(4)
    except DAMAGED as error:
        raise _damaged(name, "", error) from error
    for magic, sentence in NOT_TEXT.items():
        if head.startswith(magic):
            raise DataError(f"{name} {sentence}")
    if encoding.lower() in UTF8_NAMES and head.startswith(UTF16_MARKS):
        raise DataError(f"{name} is in UTF-16: pass --encoding utf-16, or save it as UTF-8")


@contextmanager
def _decoded(stream: Bytes, name: str, encoding: str) -> Iterator[Iterable[str]]:
    """Lines with their endings (``newline=""``); bytes that are no text become surrogates (PEP 383)."""
    codec = "utf-8-sig" if encoding.lower() in UTF8_NAMES else encoding
    try:
        text = io.TextIOWrapper(cast(BinaryIO, stream), codec, errors="surrogateescape", newline="")
    except LookupError as error:
        raise DataError(
            f"{name} cannot be read as {encoding!r}, which is no text encoding: pass --encoding utf-8, say"
        ) from error
    try:
        yield text
    finally:
        text.detach()


def _lines(text: Iterable[str], name: str, encoding: str) -> Iterator[str]:
    number = 0
    try:
        for number, line in enumerate(text, 1):  # noqa: B007
            yield line
    except DAMAGED as error:
        raise _damaged(name, f" after line {number}", error) from error
    except UnicodeError as error:  # UTF-16 and its like cannot go on after a fault
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{name} is not {encoding} after line {number} ({reason}): pass its --encoding, or save it as UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"{name} cannot be read after line {number} ({error.strerror}): check the disk") from error


def _damaged(name: str, where: str, error: Exception) -> DataError:
    return DataError(f"{name} is cut off or damaged{where} ({error}): copy it again")
