"""The beginning of a table: enough to find its columns before all of its rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from bertline.data.columns import check_column, find_column, hint_of
from bertline.data.formats import Format
from bertline.data.rows import BadRow, BadRows, Row
from bertline.errors import DataError

LOOKAHEAD_ROWS = 100  # good ones, whose keys are the columns of JSON lines


@dataclass(frozen=True, slots=True)
class Head:
    """The first rows of a table.

    Attributes:
        source: the table's name, for messages.
        format: of the table.
        first: its first rows, bad ones in their place.
        header: whether a first line of CSV or TSV names the columns.
    """

    source: str
    format: Format
    first: tuple[Row | BadRow, ...]
    header: bool = True

    @property
    def rows(self) -> list[Row]:
        """The good ones."""
        return [row for row in self.first if isinstance(row, Row)]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the rows, in order."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row.values))

    @property
    def hint(self) -> str:
        """What may help where a column is missing, to end a message."""
        return hint_of(self.format, self.columns, header=self.header)

    @property
    def place(self) -> str:
        """The unit of ``Row.line``."""
        return "row" if self.format == "parquet" else "line"

    def find_column(self, given: str | None, names: Sequence[str], what: str, hint: str = "") -> str:
        """The column ``given``, or the only one with a usual name, as ``columns.find_column``."""
        return find_column(self.source, self.columns, given, names, what, hint + self.hint)

    def check_column(self, given: str, flag: str) -> str:
        """``given`` as the table spells it, as ``columns.check_column``."""
        return check_column(self.source, self.columns, given, flag)

    def bad_rows(self) -> BadRows:
        """Counts the table's bad rows."""
        return BadRows(self.source, self.place)

    def require_rows(self, wanted: str, *, skip: bool) -> None:
        """Refuse a table without a good row at its beginning.

        Args:
            wanted: what to give instead, for the message: "rows with a text".
            skip: bad rows are to be skipped.

        Raises:
            DataError: its bad rows, or that there are none.
        """
        if self.columns:
            return
        bad = self.bad_rows()
        for row in self.first:
            if isinstance(row, BadRow):
                bad.add(row)
        if bad:
            raise bad.error(skipped=skip)
        what = "a header line but no rows" if self.header and self.format in ("csv", "tsv") else "no rows"
        raise DataError(f"{self.source} has {what}: give {wanted}{self.hint}")


def take_head(
    source: str, format: Format, rows: Iterator[Row | BadRow], *, header: bool
) -> tuple[Head, Iterator[Row | BadRow]]:
    """The head of a table, and all of its rows from the first."""
    first: list[Row | BadRow] = []
    good = 0
    for row in rows:
        first.append(row)
        good += isinstance(row, Row)
        if good == LOOKAHEAD_ROWS:
            break
    return Head(source, format, tuple(first), header), chain(first, rows)
