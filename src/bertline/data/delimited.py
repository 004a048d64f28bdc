"""CSV and TSV (RFC 4180, any line ending): lines to rows, with the line of whatever is wrong.

The parsing is the standard library's ``csv``, in strict mode. What it leaves to do is to go on after a fault:
when a closing quote is missing, everything up to the next quote is swallowed, so reading goes back to the
line after the one where that row began, and one row is lost, not thousands. A quote inside an unquoted field
is text, as everywhere; after a missing closing quote it cannot be told from the closing one.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import deque
from collections.abc import Iterator

from bertline.data.rows import BadRow, Row, line_fault
from bertline.errors import DataError

NEVER_CLOSED = "a quote that is never closed"
AFTER_QUOTE = "text after a closing quote"
TOO_MANY = "too many fields"
TOO_FEW = "too few fields"

# A row of several lines may be this long; after that its quote is taken for one that is never closed. Bounds memory.
LONGEST_ROW_CHARACTERS = 2**24


def accept_long_fields() -> None:
    """Let ``csv`` read fields of more than 131,072 characters: one setting for the process, never lowered."""
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))


def read_delimited(lines: Iterator[str], name: str, delimiter: str, encoding: str) -> Iterator[Row | BadRow]:
    """Rows of a table whose first row names its columns; blank lines are no rows.

    Args:
        lines: physical lines with their endings.
        name: the table's, in messages.
        delimiter: between fields. A comma gives way to a semicolon or tab if the header has one and no comma:
            so spreadsheets write ``.csv`` where the comma is the decimal sign.
        encoding: in which ``lines`` were decoded, for messages.

    Raises:
        DataError: no header, or one that cannot be used.
    """
    accept_long_fields()
    blank, first = 0, next(lines, None)
    while first is not None and not first.strip():
        blank, first = blank + 1, next(lines, None)
    if first is None:
        raise DataError(f"{name} is empty: it needs a header line that names the columns, and rows")
    if delimiter == "," and "," not in first:
        delimiter = next((other for other in ";\t" if other in first), ",")
    source = _Lines(itertools.chain([first], lines), blank + 1)
    records = _records(source, delimiter, encoding)
    columns = _header(next(records), name)
    for record in records:
        yield record if isinstance(record, BadRow) else _row(*record, columns)


def _header(record: tuple[int, list[str]] | BadRow, name: str) -> list[str]:
    if isinstance(record, BadRow):
        raise DataError(f"{name} line {record.line} should name the columns but has {record}: correct the header")
    columns = [column.strip() for column in record[1]]
    twice = next((column for column in columns if column and columns.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name} line {record[0]} names the column {twice!r} twice: rename one of them")
    return columns


def _row(line: int, fields: list[str], columns: list[str]) -> Row | BadRow:
    if len(fields) == len(columns):
        return Row(line, dict(zip(columns, fields, strict=True)))
    reason = TOO_MANY if len(fields) > len(columns) else TOO_FEW
    return BadRow(line, reason, f"{len(fields)} where the header has {len(columns)}")


class _Lines:
    """The lines that ``csv.reader`` pulls: knows those of the current row, and can go back to its second."""

    def __init__(self, lines: Iterator[str], first: int) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._characters = 0
        self.row: list[str] = []
        self.start = first  # line number of row[0]
        self.overrun = False  # the row did not end before the file, or the limit, did

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.row and self._characters > LONGEST_ROW_CHARACTERS:
            self.overrun = True
            raise StopIteration
        try:
            line = self._again.popleft() if self._again else next(self._lines)
        except StopIteration:
            self.overrun = True
            raise
        self.row.append(line)
        self._characters += len(line)
        return line

    def begin_row(self) -> None:
        self.start += len(self.row)
        self.row, self._characters, self.overrun = [], 0, False

    def go_back(self) -> None:
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]


def _records(lines: _Lines, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]] | BadRow]:
    """The fields of each row with the line where it starts, or what is wrong there."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # strict mode has two faults; `csv` tells them apart only in the wording of its message
            if lines.overrun or _closed_by_a_later_field("".join(lines.row), delimiter):
                lines.go_back()
                yield BadRow(lines.start, NEVER_CLOSED)
            else:
                yield BadRow(lines.start, AFTER_QUOTE)
            continue
        if fault := _decoding_fault(lines, encoding):
            yield fault
        elif fields:
            yield lines.start, fields


def _decoding_fault(lines: _Lines, encoding: str) -> BadRow | None:
    for number, line in enumerate(lines.row, lines.start):
        if fault := line_fault(line, encoding):
            reason, detail = fault
            place = f"in line {number}" if number > lines.start else ""
            return BadRow(lines.start, reason, ", ".join(filter(None, (detail, place))))
    return None


def _closed_by_a_later_field(row: str, delimiter: str) -> bool:
    """Whether the quote after which ``row`` goes wrong stands where a field begins: it opens one, then."""
    quoted = r'"[^"]*+(?:""[^"]*+)*+"'
    sound = re.compile(rf'(?:{quoted}|[^"{delimiter}\r\n][^{delimiter}\r\n]*+)?{delimiter}')
    start = 0
    while field := sound.match(row, start):
        start = field.end()
    faulty = re.compile(quoted).match(row, start)
    return faulty is not None and faulty.end() > start + 2 and row[faulty.end() - 2] in f"{delimiter}\r\n"
