"""Read and write Parquet by record batches. Only this file and ``arrow_values`` import pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from bertline.data.kinds import Kind, Mixed, join, kind_of
from bertline.data.outline import Outline
from bertline.data.rows import NOTHING, Row, TypedBatch, TypedRow
from bertline.errors import DataError

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise DataError("a Parquet table needs pyarrow: install bertline[parquet], or use CSV or JSON lines") from error

from bertline.data.arrow_values import NoType, arrow_array, arrow_type, leaf_ticks, python_values

READ_ROWS = 1_024  # per record batch: 1,024 texts of 10,000 characters are 10 MB
WRITE_ROWS = 8_192  # per row group


def read_parquet(stream: BinaryIO, name: str, *, first: int = 0, last: int | None = None) -> Iterator[Row]:
    """Rows of a Parquet file, numbered from 1. A value is converted on access.

    Args:
        stream: must be seekable, because the end of the file is read first.
        name: of the table, for messages.
        first: number of rows to leave out; row groups before them are not read.
        last: number of the last row; by default all are read.

    Raises:
        DataError: not a Parquet file, a damaged one, two columns of the same name, or 96-bit timestamps that no
            single unit can represent.
    """
    number = first
    try:
        with pq.ParquetFile(stream) as table:
            columns = table.schema_arrow.names
            if twice := next((column for column in columns if columns.count(column) > 1), None):
                raise DataError(f"{name} has two columns {twice!r}: rename one of them")
            unit = _unit_of_96_bits(table, stream, name)
        with pq.ParquetFile(stream, coerce_int96_timestamp_unit=unit) as table:
            for batch in _batches(table, first, table.metadata.num_rows if last is None else last):
                shared = TypedBatch(batch, python_values)
                for index in range(batch.num_rows):
                    number += 1
                    yield Row(number, TypedRow(shared, index))
    except (pa.ArrowException, OSError) as error:
        where = f" after row {number}" if number else ""
        reason = str(error).rstrip(". ").partition("\n")[0]
        raise DataError(f"{name} cannot be read as Parquet{where} ({reason}): write or copy it again") from error


def join_parquet(parts: Sequence[Callable[[], AbstractContextManager[Path]]], stream: BinaryIO) -> None:
    """Write the rows of Parquet files, one after the other, into one.

    A column that has no value in one part and values in another gets their type.

    Args:
        parts: a file each, within a context.
        stream: where to write.

    Raises:
        DataError: the parts do not fit together, or one is damaged.
    """
    try:
        schemas = []
        for part in parts:
            with part() as path:
                schemas.append(pq.read_schema(path))
        schema = pa.unify_schemas(schemas)
        with pq.ParquetWriter(stream, schema) as writer:
            for part in parts:
                with part() as path, pq.ParquetFile(path) as table:
                    for group in range(table.num_row_groups):
                        writer.write_table(table.read_row_group(group).cast(schema))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).rstrip(". ").partition("\n")[0]
        raise DataError(f"the shards cannot be joined ({reason}): check the disk and their files") from error


def _batches(table: Any, first: int, last: int) -> Iterator[Any]:
    """The rows after the first ones up to the last one, from the row groups that have any of them."""
    begins, groups = 0, []
    skip: int | None = None
    for group in range(table.num_row_groups):
        ends = begins + table.metadata.row_group(group).num_rows
        if begins < last and ends > first:
            groups.append(group)
            skip = first - begins if skip is None else skip
        begins = ends
    skip, left = skip or 0, last - first
    for batch in table.iter_batches(batch_size=READ_ROWS, row_groups=groups) if groups else ():
        part = batch.slice(skip, left)
        skip = max(0, skip - batch.num_rows)
        left -= part.num_rows
        if part.num_rows:
            yield part


def _unit_of_96_bits(table: Any, stream: BinaryIO, name: str) -> str:
    """The unit in which 96-bit timestamps can be read; "ns" if there are none.

    They represent any year to the nanosecond, but Arrow's have 64 bits: outside the years 1677 to 2262, pyarrow
    silently overflows nanoseconds, and in microseconds it drops the remainder.
    """
    leaves = range(len(table.schema))
    old = [table.schema.column(leaf).path for leaf in leaves if table.schema.column(leaf).physical_type == "INT96"]
    if not old:
        return "ns"
    far = fine = False
    with pq.ParquetFile(stream, coerce_int96_timestamp_unit="us") as coarse:
        for exact, wide in zip(table.iter_batches(columns=old), coarse.iter_batches(columns=old), strict=True):
            for ns, us in zip(leaf_ticks(exact.to_struct_array()), leaf_ticks(wide.to_struct_array()), strict=True):
                held = ns // 1_000 == us
                far |= not held.all()
                fine |= bool((ns[held] % 1_000).any())
    if far and fine:
        raise DataError(
            f"{name} has 96-bit timestamps ({', '.join(map(repr, old))}), some with nanoseconds and some outside the "
            "years 1677 to 2262, which no 64-bit type can represent together: write it with 64-bit timestamps"
        )
    return "us" if far else "ns"


class ParquetRows:
    """Writes rows to ``stream`` in row groups. Rows from Parquet are passed on unchanged.

    Args:
        stream: where to write.
        columns: in order.
        name: the table's name, for messages.
        outline: columns and kinds of all rows. Without it, the first group decides a column's type.

    Raises:
        DataError: at once, if Parquet has no type for a column of ``outline``; later, if a value has another type.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[str], name: str, outline: Outline | None = None) -> None:
        self._stream, self._columns, self._name = stream, tuple(columns), name
        self._place = "row" if outline is None else outline.place
        self._kinds: dict[str, Kind] = {} if outline is None else dict(outline.kinds)
        self._types = {column: self._type(column) for column in self._kinds}
        self._rows: list[tuple[Mapping[str, object], Mapping[str, object]]] = []
        self._line = 0
        self._writer: Any = None

    def write(self, values: Mapping[str, object], added: Mapping[str, object] = NOTHING) -> None:
        """Add a row; missing columns are null."""
        self._line += 1
        for given in (added,) if isinstance(values, TypedRow) else (values, added):
            for column, value in given.items():
                self._note(column, value)
        self._rows.append((values, added))
        if len(self._rows) == WRITE_ROWS:
            self._flush()

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        try:
            if self._rows or self._writer is None:
                self._flush()
        finally:
            if self._writer is not None:
                self._writer.close()

    def _note(self, column: str, value: object) -> None:
        """Check a value against the type of its column; nothing is cast."""
        known = self._kinds.get(column)
        try:
            kind = kind_of(value, self._line, repr(column))
            joined = kind if known is None else join(known, kind, repr(column))
        except Mixed as error:
            raise self._several(column, error.sentence("row")) from error
        except TypeError as error:
            raise self._several(column, str(error)) from error
        if joined is known:
            return
        self._kinds[column] = joined
        if column in self._types and self._type(column) != self._types[column]:
            raise self._several(column, f"row {self._line:,} is not {self._types[column]}")

    def _type(self, column: str) -> Any:
        try:
            return arrow_type(self._kinds[column])
        except NoType as error:
            raise self._several(column, f"{error} in {self._place} {error.line:,}") from error

    def _several(self, column: str, reason: str) -> DataError:
        return DataError(
            f"column {column!r} of {self._name} has values of several types, or of one that Parquet lacks "
            f"({reason}): write CSV or JSON lines instead"
        )

    def _flush(self) -> None:
        source = _passed_on([values for values, _ in self._rows if isinstance(values, TypedRow)])
        fields, arrays = [], []
        for column in self._columns:
            if source is not None and column in source.schema.names:
                fields.append(source.schema.field(column))
                arrays.append(source.column(column))
                continue
            if column not in self._types:
                self._types[column] = self._type(column) if column in self._kinds else pa.string()
            values = [added[column] if column in added else given.get(column) for given, added in self._rows]
            fields.append(pa.field(column, self._types[column]))
            arrays.append(arrow_array(values, self._types[column]))
        if self._writer is None:
            schema = pa.schema(fields, metadata=None if source is None else source.schema.metadata)
            self._writer = pq.ParquetWriter(self._stream, schema)
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._writer.schema))
        self._rows = []


def _passed_on(rows: Sequence[TypedRow]) -> Any:
    """Rows of batches as one Arrow table, without reading their values; None for no rows."""
    runs: list[tuple[Any, int, int]] = []  # batch, first row, one past the last
    for row in rows:
        if runs and runs[-1][0] is row.batch and runs[-1][2] == row.index:
            runs[-1] = (row.batch, runs[-1][1], row.index + 1)
        else:
            runs.append((row.batch, row.index, row.index + 1))
    return (
        pa.Table.from_batches([batch.arrow.slice(first, end - first) for batch, first, end in runs]) if runs else None
    )
