"""Write rows to a table: CSV, TSV or JSON lines, plain or gzipped, or Parquet.

Files are written atomically: to a temporary file beside the target, flushed to disk and renamed. Pipes and devices
(``-``, ``/dev/null``) are written directly.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from bertline.data.formats import STANDARD, Location, is_gzip_name, name_of, output_format_of
from bertline.data.json_values import JsonObject
from bertline.data.outline import Outline
from bertline.data.rendering import Unwritable, field_of, json_of
from bertline.data.rows import NOTHING
from bertline.errors import DataError

GZIP_LEVEL = 6
DELIMITERS = {"csv": ",", "tsv": "\t"}


class RowWriter(Protocol):
    """Takes rows one by one."""

    def write(self, values: Mapping[str, object], added: Mapping[str, object] = NOTHING) -> None:
        """Write a row; a column without a value is empty (CSV, TSV) or null (JSON lines, Parquet).

        Args:
            values: of a row. A row read from JSON lines or Parquet is written unchanged to the same format: digits
                and spaces as they were, no column converted, no key added.
            added: values of further columns.
        """


@contextmanager
def open_writer(
    target: Location, *, format: str | None = None, columns: Sequence[str], outline: Outline | None = None
) -> Iterator[RowWriter]:
    """Open a table to write.

    Args:
        target: a path, replaced at the end and unchanged after an error; or ``-`` for standard output.
        format: csv, tsv, jsonl or parquet; by default the suffix decides, and ``-`` is CSV.
        columns: the columns in order. JSON lines also accept rows with further keys; the other formats reject
            them.
        outline: from a first pass over all rows; it fixes the types of Parquet's columns. Without it the first
            8,192 rows do, and a later row of another type is an error.

    Raises:
        DataError: the target cannot be written, its format is read-only, or it cannot represent a value.
        SettingsError: an unknown format.
    """
    name, kind = name_of(target, "output"), output_format_of(target, format)
    zipped = is_gzip_name(target)
    if kind == "parquet" and zipped:
        raise DataError(f"{name} cannot be gzipped Parquet: Parquet has its own compression, remove .gz from the name")
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(target, name))
        if zipped:  # no name or time in the header, so that equal rows make equal files
            packed = gzip.GzipFile("", "wb", GZIP_LEVEL, stream, mtime=0)
            stack.enter_context(_closing(packed.close, name))
            stream = cast(BinaryIO, packed)
        rows: RowWriter
        with _reported(name):
            if kind == "parquet":
                from bertline.data.parquet import ParquetRows  # needs pyarrow, which an install may lack

                rows = ParquetRows(stream, columns, name, outline)
                stack.enter_context(_closing(rows.close, name))
            elif kind == "jsonl":
                rows = _JsonLines(stream, columns, name)
            else:
                rows = _Delimited(stream, columns, kind, name)
        yield _Checked(rows, None if kind == "jsonl" else columns, name)


@contextmanager
def _closing(close: Callable[[], object], name: str) -> Iterator[None]:
    """Close at the end; after an error ignore further ones, because the output is discarded."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            close()
        raise
    with _reported(name):
        close()


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turn errors of the file system into ``DataError``. A broken pipe passes: the command line ends silently."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(
            f"{name} cannot be written ({error.strerror}): free some space, or choose another place"
        ) from error


@contextmanager
def _opened(target: Location, name: str) -> Iterator[BinaryIO]:
    if target == STANDARD:
        sys.stdout.flush()
        yield sys.stdout.buffer
        with _reported(name):
            sys.stdout.buffer.flush()
        return
    # The target of a link is replaced, not the link. A pipe may have no other name: /dev/stdout, or a shell's >(gzip).
    named, path = Path(target), Path(os.path.realpath(target))
    with _reported(name):
        in_place = named.exists() and not (named.is_file() or named.is_dir())  # a pipe or a device
        if path.is_dir():
            raise DataError(f"{name} is a directory: give the name of a file to write")
        if not (in_place or path.parent.is_dir()):
            raise DataError(f"{name} cannot be written: create the directory {path.parent} first")
    with _device(named, name) if in_place else replaced(path, name) as stream:
        yield stream


@contextmanager
def _device(path: Path, name: str) -> Iterator[BinaryIO]:
    with _reported(name):
        stream = path.open("wb")
    with _closing(stream.close, name):
        yield stream


@contextmanager
def replaced(path: Path, name: str) -> Iterator[BinaryIO]:
    """Within: a temporary file beside ``path``, which takes its place at the end, and nothing after an error."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _reported(name):
            stream = part.open("xb")
        with _closing(stream.close, name):
            yield stream
            with _reported(name):
                stream.flush()
                os.fsync(stream.fileno())
        with _reported(name):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Checked:
    """Refuses keys that have no column, and reports errors of the file system."""

    def __init__(self, rows: RowWriter, columns: Sequence[str] | None, name: str) -> None:
        self._rows, self._name = rows, name
        self._columns = None if columns is None else frozenset(columns)

    def write(self, values: Mapping[str, object], added: Mapping[str, object] = NOTHING) -> None:
        if self._columns is not None and not self._columns.issuperset((*values, *added)):
            new = next(key for key in (*values, *added) if key not in self._columns)
            raise DataError(f"{self._name} has no column {new!r}, and its columns are fixed: write JSON lines instead")
        with _reported(self._name):
            self._rows.write(values, added)


class _JsonLines:
    def __init__(self, stream: BinaryIO, columns: Sequence[str], name: str) -> None:
        self._stream, self._columns, self._name = stream, columns, name

    def write(self, values: Mapping[str, object], added: Mapping[str, object] = NOTHING) -> None:
        if isinstance(values, JsonObject):
            text = _extended(values.text, added)
        else:
            row = dict.fromkeys(self._columns) | dict(values) | dict(added)
            text = f"{{{', '.join(f'{json_of(key)}: {self._value(key, one)}' for key, one in row.items())}}}"
        self._stream.write(f"{text}\n".encode())

    def _value(self, column: str, value: object) -> str:
        try:
            return json_of(value)
        except Unwritable as error:
            raise _cannot_hold(self._name, column, "JSON lines", error) from error


def _extended(line: str, added: Mapping[str, object]) -> str:
    """The text of an object with keys appended."""
    text = line.strip()
    if not added:
        return text
    separator = ", " if text[1:-1].strip() else ""
    return text[:-1].rstrip() + separator + json_of(added)[1:]


class _Delimited:
    def __init__(self, stream: BinaryIO, columns: Sequence[str], kind: str, name: str) -> None:
        self._stream, self._columns, self._delimiter = stream, tuple(columns), DELIMITERS[kind]
        self._kind, self._name = kind.upper(), name
        self._special = re.compile(f'[{self._delimiter}"\r\n]')
        self._write_fields([self._field(f"{column} (its name)", column) for column in self._columns])

    def write(self, values: Mapping[str, object], added: Mapping[str, object] = NOTHING) -> None:
        self._write_fields(
            [self._field(column, added[column] if column in added else values.get(column)) for column in self._columns]
        )

    def _field(self, column: str, value: object) -> str:
        try:
            return field_of(value)
        except Unwritable as error:
            raise _cannot_hold(self._name, column, self._kind, error) from error

    def _write_fields(self, fields: Sequence[str]) -> None:
        # Not csv.writer: it leaves a lone carriage return unquoted unless every line ends in one.
        line = self._delimiter.join(map(self._quoted, fields))
        self._stream.write(((line or '""') + "\n").encode())  # a blank line would be no row

    def _quoted(self, field: str) -> str:
        return '"' + field.replace('"', '""') + '"' if self._special.search(field) else field


def _cannot_hold(name: str, column: str, format: str, error: Unwritable) -> DataError:
    return DataError(
        f"{name} cannot store a value of column {column!r} ({error}), because {format} cannot represent it: "
        "write another format, or correct the value"
    )
