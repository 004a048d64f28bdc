"""What readers yield: a row, or a bad row with its reason.

Readers never raise for a single row: the caller decides whether a bad row ends the work or is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bertline.errors import DataError

UNDECODABLE = "undecodable bytes"
NUL = "a NUL character"
UNREADABLE = "a value that cannot be read"
NOTHING: Mapping[str, object] = MappingProxyType({})
SHOWN = 3  # bad rows that an error message lists

# Undecodable bytes 0x80–0xff arrive as U+DC80–U+DCFF (PEP 383); no valid text decodes to these.
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class TableFault(DataError):
    """A table that cannot be read at all.

    Args:
        name: the table's name.
        fault: follows the name in the message.
        remedy: ends the message.
    """

    def __init__(self, name: str, fault: str, remedy: str) -> None:
        super().__init__(f"{name} {fault}: {remedy}")
        self.fault, self.remedy = fault, remedy


class EncodingFault(TableFault):
    """A table is not in its declared encoding, or that encoding is unknown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column, and its first line in the file (Parquet: its number)."""

    line: int
    values: Mapping[str, object]

    def value(self, column: str) -> object | BadRow:
        """The value in a column, or why there is none that can be read."""
        if column not in self.values:
            return BadRow(self.line, f"no column {column!r}")
        value = self.values[column]
        if isinstance(value, UnreadableValue):
            return BadRow(self.line, f"{UNREADABLE} in column {column!r}", value.detail)
        return value


class TypedBatch:
    """Rows of a format with typed columns, in that format's own memory (Parquet: a record batch).

    Args:
        arrow: the record batch.
        convert: the values of a column as Python's; called when a row is asked for one of them, and only then.
    """

    __slots__ = ("_convert", "_values", "arrow", "names")

    def __init__(self, arrow: Any, convert: Callable[[Any], Sequence[object]]) -> None:
        self.arrow, self._convert = arrow, convert
        self.names: Sequence[str] = arrow.schema.names
        self._values: dict[str, Sequence[object]] = {}

    def column(self, name: str) -> Sequence[object]:
        """The values of a column.

        Raises:
            KeyError: there is no such column.
        """
        if name not in self._values:
            self._values[name] = self._convert(self.arrow.column(name))
        return self._values[name]


class TypedRow(Mapping[str, object]):
    """The values of one row of a batch, converted on access."""

    __slots__ = ("batch", "index")

    def __init__(self, batch: TypedBatch, index: int) -> None:
        self.batch, self.index = batch, index

    def __getitem__(self, name: str) -> object:
        return self.batch.column(name)[self.index]

    def __contains__(self, name: object) -> bool:
        return name in self.batch.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.names)

    def __len__(self) -> int:
        return len(self.batch.names)

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A value of a Parquet-only type (``kind``: date, timestamp, binary …), rendered for text formats."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """Stands for a value that cannot be read, so that only readers of the value reject its row."""

    detail: str

    def __str__(self) -> str:
        return f"unreadable: {self.detail}"


def fault_of(value: object) -> str:
    """Why a value cannot be used: its type is wrong, or it cannot be read."""
    if isinstance(value, UnreadableValue):
        return value.detail
    return f"it is of type {value.kind if isinstance(value, Rendered) else type(value).__name__}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: ``reason`` is the same for all rows with the fault, ``detail`` is specific."""

    line: int
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class BadRows:
    """The bad rows of one source: their number by reason, and the first few for the message.

    Args:
        source: the table's name, for messages.
        place: unit of ``BadRow.line``, ``"line"`` or (Parquet) ``"row"``.
    """

    def __init__(self, source: str, place: str = "line") -> None:
        self.counts: Counter[str] = Counter()
        self.source = source
        self.place = place
        self._first: list[BadRow] = []

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, row: BadRow) -> None:
        """Count a bad row."""
        self.counts[row.reason] += 1
        if len(self._first) < SHOWN:
            self._first.append(row)

    def error(self, *, skipped: bool = False) -> DataError:
        """One error for all of them: their number, the first few with their lines, and the remedy.

        Args:
            skipped: bad rows were skipped, and no good row is left.
        """
        number = len(self)
        shown = [f"{self.place} {row.line}: {row}" for row in self._first]
        shown += [f"and {number - SHOWN:,} more"] if number > SHOWN else []
        rows, them = ("row", "it") if number == 1 else ("rows", "them")
        remedies = [f"fix {them}"]
        remedies += (
            ["give the file's --encoding (such as latin-1 or cp1252)", "save it as UTF-8"]
            if UNDECODABLE in self.counts
            else []
        )
        remedies += [] if skipped else [f"pass --skip-bad-rows to leave {them} out"]
        return DataError(
            f"{self.source} has {'only ' if skipped else ''}{number:,} bad {rows} ({'; '.join(shown)}); "
            f"{' or '.join(remedies)}"
        )


def line_fault(line: str, encoding: str) -> tuple[str, str] | None:
    """Reason and detail if a line, decoded with ``surrogateescape``, has a NUL or undecodable bytes; else None."""
    if "\0" in line:
        return NUL, ""
    if line.isascii():
        return None
    escaped = _ESCAPED_BYTE.search(line)
    if escaped is None:
        return None
    byte = ord(escaped[0]) - 0xDC00
    return UNDECODABLE, f"0x{byte:02x} at character {escaped.start() + 1} is not {encoding}"


def rows_left_out(counts: Mapping[str, int]) -> str | None:
    """A sentence with the number of skipped bad rows by reason; None if there are none."""
    rows = sum(counts.values())
    if not rows:
        return None
    reasons = ", ".join(f"{number:,} × {reason}" for reason, number in Counter(counts).most_common())
    return f"left out {rows:,} bad {'row' if rows == 1 else 'rows'}: {reasons}"
