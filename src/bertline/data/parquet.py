"""Parquet in and out, by record batches. The only file that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from bertline.data.rows import BadRow, Row
from bertline.errors import DataError

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise DataError("a Parquet table needs pyarrow: install bertline[parquet], or use CSV or JSON lines") from error

UNREADABLE = "a value that cannot be read"
READ_ROWS = 1_024  # per record batch: 1,024 texts of 10,000 characters are 10 MB
WRITE_ROWS = 8_192  # per row group


def read_parquet(stream: BinaryIO, name: str) -> Iterator[Row | BadRow]:
    """Rows of a Parquet file, numbered from 1.

    ``stream`` must be seekable, because the end of the file is read first.

    Raises:
        DataError: not a Parquet file, a damaged one, or one with two columns of the same name.
    """
    number = 0
    try:
        with pq.ParquetFile(stream) as table:
            columns = table.schema_arrow.names
            if twice := next((column for column in columns if columns.count(column) > 1), None):
                raise DataError(f"{name} has two columns {twice!r}: rename one of them")
            for batch in table.iter_batches(batch_size=READ_ROWS):
                yield from _rows(batch, number + 1)
                number += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        where = f" after row {number}" if number else ""
        reason = str(error).rstrip(". ").partition("\n")[0]
        raise DataError(f"{name} cannot be read as Parquet{where} ({reason}): write or copy it again") from error


def _rows(batch: Any, first: int) -> list[Row | BadRow]:
    try:
        return [Row(number, values) for number, values in enumerate(batch.to_pylist(), first)]
    except ValueError as error:  # a string that is not UTF-8, a date before year 1: then row by row
        if batch.num_rows == 1:
            return [BadRow(first, UNREADABLE, str(error))]
        return [one for i in range(batch.num_rows) for one in _rows(batch.slice(i, 1), first + i)]


class ParquetRows:
    """Writes rows to ``stream`` in row groups; the types of the columns are those of the first group.

    Raises:
        DataError: on writing or closing, values of one column that are not of one type.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[str], name: str) -> None:
        self._stream, self._columns, self._name = stream, tuple(columns), name
        self._values: dict[str, list[object]] = {column: [] for column in self._columns}
        self._rows = 0
        self._schema: Any = None
        self._writer: Any = None

    def write(self, values: Mapping[str, object]) -> None:
        """Add a row; columns that it lacks are null."""
        for column in self._columns:
            self._values[column].append(values.get(column))
        self._rows += 1
        if self._rows == WRITE_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        try:
            if self._rows or self._writer is None:
                self._flush()
        finally:
            if self._writer is not None:
                self._writer.close()

    def _flush(self) -> None:
        arrays = [self._array(column) for column in self._columns]
        if self._writer is None:
            self._schema = pa.schema([(name, one.type) for name, one in zip(self._columns, arrays, strict=True)])
            self._writer = pq.ParquetWriter(self._stream, self._schema)
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._values = {column: [] for column in self._columns}
        self._rows = 0

    def _array(self, column: str) -> Any:
        values = self._values[column]
        try:
            if self._schema is not None:
                return pa.array(values, type=self._schema.field(column).type)
            array = pa.array(values)
        except (pa.ArrowException, OverflowError) as error:
            raise DataError(
                f"column {column!r} of {self._name} has values of several types, or of none that Parquet "
                f"has ({error}): write CSV or JSON lines instead"
            ) from error
        return array.cast(pa.string()) if pa.types.is_null(array.type) else array
