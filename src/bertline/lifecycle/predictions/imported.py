"""Feedback from a table: a row per text, with the request's id, the text's index and the correct answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from bertline.data.rows import BadRow, Row
from bertline.data.table import read_rows
from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import MOST_ITEMS, Feedback

# Columns by the names that tables have for them; the first is ours.
NAMES = {
    "request_id": ("request_id", "x_request_id", "request"),
    "item": ("index", "item", "request_item"),
    "correct": ("correct", "label", "target"),
    "source": ("source",),
    "annotator": ("annotator", "by"),
    "time": ("time", "labelled_at", "annotated_at"),
}
SHOWN = 3


@dataclass
class Imported:
    """What became of the rows.

    Attributes:
        counts: by status.
        blank: rows without a correct answer, which is what a review leaves empty.
        faults: rows that were not kept, each as a sentence.
    """

    counts: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    faults: list[str] = field(default_factory=list)

    def error(self, name: str) -> DataError | None:
        """One error for all rows that were not kept."""
        if not self.faults:
            return None
        number = len(self.faults)
        more = f"; and {number - SHOWN:,} more" if number > SHOWN else ""
        rows = "row was" if number == 1 else "rows were"
        return DataError(
            f"{number:,} {rows} not kept of {name} ({'; '.join(self.faults[:SHOWN])}{more}): correct them and import "
            "the table again, which changes nothing of the others"
        )


def import_feedback(store: Database, table: Path | str, *, source: str = "", client: str | None = None) -> Imported:
    """Keep the feedback of a table: CSV, TSV, JSON lines or Parquet.

    Args:
        store: from ``open_store``.
        table: with the columns ``request_id`` and ``correct``, and maybe ``index``, ``source``, ``annotator`` and
            ``time`` (``NAMES`` has other names for them).
        source: of rows without one.
        client: whoever imports.

    Raises:
        DataError: the table cannot be read, or lacks a column.
        PredictionStoreError: the store cannot be used; the rows so far are kept, and may be imported again.
    """
    found = Imported()
    rows = _items(read_rows(table), str(table), source, found)
    while some := [*islice(rows, MOST_ITEMS)]:
        outcomes = receive(store, [one for _, one in some], client=client)
        for (line, _), outcome in zip(some, outcomes, strict=True):
            found.counts[outcome.status] += 1
            if outcome.status == "invalid":
                found.faults.append(f"line {line}: {outcome.message}")
    return found


def _items(rows: Iterator[Row | BadRow], name: str, source: str, found: Imported) -> Iterator[tuple[int, Feedback]]:
    columns: dict[str, str] | None = None
    for row in rows:
        if isinstance(row, BadRow):
            found.faults.append(f"line {row.line}: {row}")
            continue
        if columns is None:
            columns = _columns([*row.values], name)
        correct = row.values.get(columns["correct"])
        if correct is None or correct == "":
            found.blank += 1
            continue
        try:
            yield row.line, _feedback(row, columns, correct, source)
        except ValueError as fault:
            found.faults.append(f"line {row.line}: {fault}")


def _columns(names: Sequence[str], table: str) -> dict[str, str]:
    by_name = {name.strip().casefold(): name for name in names}
    columns = {
        what: by_name[known[0]]
        for what, all_known in NAMES.items()
        if (known := [n for n in all_known if n in by_name])
    }
    for what in ("request_id", "correct"):
        if what not in columns:
            raise DataError(
                f"{table} has no column {what}: name the columns request_id and correct, and index where requests have "
                f"several texts (its columns are {', '.join(names)})"
            )
    return columns


def _feedback(row: Row, columns: dict[str, str], correct: object, source: str) -> Feedback:
    def text(what: str, longest: int) -> str:
        value = row.values.get(columns.get(what, ""))
        shown = "" if value is None else str(value).strip()
        if len(shown) > longest:
            raise ValueError(f"{columns[what]} has more than {longest} characters")
        return shown

    request_id = text("request_id", 128)
    if not request_id:
        raise ValueError(f"{columns['request_id']} is empty")
    item = text("item", 16) or "0"
    if not item.isdecimal():
        raise ValueError(f"{columns['item']} is not an index, 0 or higher")
    return Feedback(
        request_id, correct, int(item), text("source", 64) or source, text("annotator", 128), _ms(text("time", 40))
    )


def _ms(time: str) -> int | None:
    """A time without a zone is one of UTC."""
    if not time:
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError("time is not in ISO 8601, as in 2026-11-30T12:00:00Z") from None
    return round(1000 * (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
