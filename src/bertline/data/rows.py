"""What a reader hands on: a row, or a row that cannot be used with the reason why.

Readers never raise for a single row: whether a bad row ends the work or is left out is the caller's to say.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from bertline.errors import DataError

UNDECODABLE = "undecodable bytes"
NUL = "a NUL character"
SHOWN = 3  # bad rows that an error message lists

# Undecodable bytes 0x80–0xff arrive as U+DC80–U+DCFF (PEP 383); no valid text decodes to these.
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class TableFault(DataError):
    """A table that cannot be read at all.

    Args:
        name: the table's.
        fault: follows the name.
        remedy: what to do about it.
    """

    def __init__(self, name: str, fault: str, remedy: str) -> None:
        super().__init__(f"{name} {fault}: {remedy}")
        self.fault, self.remedy = fault, remedy


class EncodingFault(TableFault):
    """A table that is not in the encoding that it is said to be in, or in none that is known."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column, and the line of the file where it starts (Parquet: its number)."""

    line: int
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: ``reason`` is common to all rows with the fault, ``detail`` is its own."""

    line: int
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class BadRows:
    """The bad rows of one source: their number by reason, and the first few for the message.

    Args:
        source: the name of the table in messages.
        place: what ``BadRow.line`` counts, ``"line"`` or (Parquet) ``"row"``.
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
        """The one sentence about all of them: how many, the first few with their lines, and the remedy.

        Args:
            skipped: bad rows were to be left out, and no other is left.
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
    """Reason and detail if a line, decoded with ``surrogateescape``, held bytes that are no text."""
    if "\0" in line:
        return NUL, ""
    if line.isascii():
        return None
    escaped = _ESCAPED_BYTE.search(line)
    if escaped is None:
        return None
    byte = ord(escaped[0]) - 0xDC00
    return UNDECODABLE, f"0x{byte:02x} at character {escaped.start() + 1} is not {encoding}"
