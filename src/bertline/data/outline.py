"""The columns and kinds of a table to write, from a first pass over its rows.

The pass reports what the format cannot represent before the first row is written. Nothing is cast.
"""

from __future__ import annotations

from collections.abc import Mapping

from bertline.data.formats import Format
from bertline.data.json_values import JsonObject
from bertline.data.kinds import Kind, Mixed, join, kind_of
from bertline.data.rendering import Unwritable, field_of, json_of
from bertline.data.rows import BadRow, Row, TypedRow, UnreadableValue
from bertline.errors import DataError

FORMAT_NAMES: Mapping[Format, str] = {
    "csv": "CSV",
    "tsv": "TSV",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
}

PASSED_ON: Mapping[Format, type] = {"jsonl": JsonObject, "parquet": TypedRow}  # unchanged, to the same format


class Outline:
    """Columns and kinds of the rows added so far.

    Args:
        source: name of the input table, for messages.
        format: of the output table.
        place: unit of ``Row.line``, ``"line"`` or ``"row"``.
    """

    def __init__(self, source: str, format: Format, place: str = "line") -> None:
        self.columns: dict[str, None] = {}
        self.kinds: dict[str, Kind] = {}
        self.place = place
        self._source, self._format = source, format

    def fault(self, row: Row) -> BadRow | None:
        """Why the format cannot represent a row on its own; None if it can."""
        if isinstance(row.values, PASSED_ON.get(self._format, ())):
            return None
        for column, value in row.values.items():
            try:
                self._try(value)
            except Unwritable as error:
                reason = f"a value that {FORMAT_NAMES[self._format]} cannot represent in column {column!r}"
                return BadRow(row.line, reason, str(error))
        return None

    def add(self, row: Row) -> None:
        """Add a row that has no fault.

        Raises:
            DataError: a column has values of two kinds, but the format's columns have one type each.
        """
        self.columns.update(dict.fromkeys(row.values))
        if self._format == "parquet" and not isinstance(row.values, TypedRow):
            self._add_kinds(row)

    def _try(self, value: object) -> None:
        if self._format == "jsonl":
            json_of(value)
        elif self._format != "parquet":
            field_of(value)
        elif isinstance(value, UnreadableValue):
            raise Unwritable(value.detail)

    def _add_kinds(self, row: Row) -> None:
        for column, value in row.values.items():
            try:
                kind = kind_of(value, row.line, repr(column))
                self.kinds[column] = join(self.kinds[column], kind, repr(column)) if column in self.kinds else kind
            except Mixed as error:
                raise DataError(
                    f"{self._source} cannot become Parquet, because {error.sentence(self.place)}: "
                    "make them alike, or write JSON lines"
                ) from error
