"""Read CSV and TSV (RFC 4180, any line ending) into rows; each fault has its line.

The standard library's ``csv`` parses, in strict mode. This module adds recovery after a fault: a missing closing quote
swallows everything up to the next quote, so reading resumes at the line after the start of that row, and one row is
lost instead of thousands. A quote inside an unquoted field is text, as in other readers; after a missing closing
quote, it cannot be distinguished from the closing one.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from bertline.data.rows import BadRow, Row, TableFault, line_fault

Header = Callable[[Sequence[str]], bool]  # whether a first row names the columns

NEVER_CLOSED = "a quote that is never closed"
AFTER_QUOTE = "text after a closing quote"
TOO_MANY = "too many fields"
TOO_FEW = "too few fields"

DELIMITERS = ",;\t|"  # tried on a header
EXCEL = re.compile(r"\ufeff?\"?sep=(?P<delimiter>[^\"\r\n])\"?[\r\n]*", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*+"?')

# A row of several lines may be this long; beyond it, its quote counts as never closed. Bounds memory.
LONGEST_ROW_CHARACTERS = 2**24


def accept_long_fields() -> None:
    """Let ``csv`` read fields of more than 131,072 characters: one setting for the process, never lowered."""
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))


def named(first: Sequence[str]) -> bool:
    """The first row always names the columns."""
    return True


def unnamed(first: Sequence[str]) -> bool:
    """The first row is an ordinary row."""
    return False


def read_delimited(
    lines: Iterator[str], name: str, delimiter: str | None, encoding: str, header: Header = named, *, usual: str = ","
) -> Iterator[Row | BadRow]:
    """Rows of a table; blank lines are skipped.

    A column without a name is called ``column_`` with its position, counted from 1; a repeated name is an error. Empty
    fields after the last column, as spreadsheets write them, are dropped; unnamed columns at the end of the header
    need no field.

    Args:
        lines: physical lines with their endings.
        name: the table's name, for messages.
        delimiter: separates fields. None takes it from a first line such as ``sep=;``, as Excel writes it, or else
            ``usual``, unless the header has only another one of ``DELIMITERS``: spreadsheets write such ``.csv``
            files where the comma is the decimal separator.
        encoding: encoding of ``lines``, for messages.
        header: whether a first row names the columns.
        usual: the format's usual delimiter.

    Raises:
        DataError: there are no rows, or the header is unusable.
    """
    accept_long_fields()
    number, first, said = _first_line(lines)
    if first is None:
        needs = "a header line with column names, and rows" if header is named else "rows"
        raise TableFault(name, "is empty", f"it needs {needs}")
    between = delimiter or said or _delimiter(first, usual, header)
    records = _records(_Lines(itertools.chain([first], lines), number), between, encoding)
    columns: list[str] = []
    least = 0
    for record in records:
        if isinstance(record, BadRow):
            if not columns and header is named:
                fault = f"line {record.line} should be the header but has {record}"
                raise TableFault(name, fault, "correct the header")
            yield record
        elif columns:
            yield _row(*record, columns, least)
        elif header(record[1]):
            columns = _names(*record, name)
            least = max((place for place, column in enumerate(record[1], 1) if column.strip()), default=len(columns))
        else:
            columns, least = [f"column_{place}" for place in range(1, len(record[1]) + 1)], len(record[1])
            yield _row(*record, columns, least)


def _first_line(lines: Iterator[str]) -> tuple[int, str | None, str | None]:
    """The number and text of the first non-blank line, and the delimiter named by a ``sep=`` line before it."""
    said = None
    for number, line in enumerate(lines, 1):
        if said is None and (named := EXCEL.fullmatch(line)):
            said = named["delimiter"]
        elif line.strip():
            return number, line, said
    return 0, None, said


def _delimiter(first: str, usual: str, header: Header) -> str:
    """The usual delimiter, unless the line is a header that has only another one outside of quotes."""
    bare = QUOTED.sub("", first)
    if usual in bare:
        return usual
    others = [one for one in DELIMITERS if one in bare and header(next(csv.reader([first], delimiter=one)))]
    return others[0] if others else usual


def _names(line: int, record: Sequence[str], name: str) -> list[str]:
    """The columns of a header."""
    columns = [column.strip() for column in record]
    twice = next((column for column in columns if column and columns.count(column) > 1), None)
    if twice is not None:
        raise TableFault(name, f"line {line} has two columns named {twice!r}", "rename one of them")
    for place, column in enumerate(columns):
        if not column:
            names = itertools.chain([f"column_{place + 1}"], (f"column_{place + 1}_{n}" for n in itertools.count(2)))
            columns[place] = next(one for one in names if one not in columns)
    return columns


def _row(line: int, fields: list[str], columns: list[str], least: int) -> Row | BadRow:
    if len(fields) == len(columns):
        return Row(line, dict(zip(columns, fields, strict=True)))
    if len(fields) > len(columns) and any(fields[len(columns) :]):
        return BadRow(line, TOO_MANY, f"{len(fields)} instead of {len(columns)}")
    if len(fields) < least:
        return BadRow(line, TOO_FEW, f"{len(fields)} instead of {len(columns)}")
    return Row(line, dict(itertools.zip_longest(columns, fields[: len(columns)], fillvalue="")))


class _Lines:
    """Lines for ``csv.reader``: records those of the current row, and can rewind to its second."""

    def __init__(self, lines: Iterator[str], first: int) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._characters = 0
        self.row: list[str] = []
        self.start = first  # line number of row[0]
        self.overrun = False  # the file or the limit ended before the row

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
    """The first line and the fields of each row, or a bad row."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # strict mode has two faults, which `csv` distinguishes only by message
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
    """Whether the offending quote of ``row`` is at the start of a field, and so opens it."""
    quoted = r'"[^"]*+(?:""[^"]*+)*+"'
    sound = re.compile(rf'(?:{quoted}|[^"{delimiter}\r\n][^{delimiter}\r\n]*+)?{delimiter}')
    start = 0
    while field := sound.match(row, start):
        start = field.end()
    faulty = re.compile(quoted).match(row, start)
    return faulty is not None and faulty.end() > start + 2 and row[faulty.end() - 2] in f"{delimiter}\r\n"
