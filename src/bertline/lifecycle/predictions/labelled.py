"""Labelled rows for training: texts that were kept, or that a table of the user's own has, with the latest feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from bertline.data.table import open_writer
from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.feedback import specs
from bertline.lifecycle.predictions.figures import JOINED, judged_of
from bertline.lifecycle.predictions.records import ms_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS
from bertline.tasks import task

Texts = Mapping[tuple[str, int] | str, tuple[str, ...]]  # by request and index, or by hash
NO_TEXTS: Texts = {}
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        rows: of the table.
        without_text: labelled predictions whose text is not known.
        redacted: labelled predictions whose correct answer names characters of a text that was redacted.
    """

    rows: int
    without_text: int
    redacted: int


def write_labelled(
    store: Database, model: str, out: Path, *, since: datetime | None = None, texts: Texts = NO_TEXTS
) -> Written:
    """Write the labelled rows of a model to a table that ``train`` reads: CSV, TSV, JSON lines or Parquet.

    Besides what ``train`` reads, each row has its ``request_id``, ``request_item`` and ``labelled_at``.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        out: the table, written atomically.
        since: feedback received from this moment on.
        texts: known from elsewhere; they are taken rather than what was kept, which may be redacted.

    Raises:
        DataError: there is no row to write, or the table cannot be written.
        PredictionStoreError: the store cannot be read.
    """
    counted = {"rows": 0, "without_text": 0, "redacted": 0}
    rows = labelled_rows(store, model, since=since, texts=texts, counted=counted)
    first = next(rows, None)
    if first is None:
        raise DataError(_nothing(model, counted))
    with open_writer(out, columns=[*first]) as writer:
        writer.write(first)
        for row in rows:
            writer.write(row)
    return Written(**counted)


def labelled_rows(
    store: Database, model: str, *, since: datetime | None, texts: Texts, counted: dict[str, int]
) -> Iterator[dict[str, object]]:
    """The rows, the oldest prediction first; ``counted`` receives the numbers of ``Written``."""
    query = (
        sql.select(PREDICTIONS, FEEDBACK.c.correct, FEEDBACK.c.labelled_ms)
        .select_from(JOINED)
        .where(
            *judged_of(model),
            FEEDBACK.c.state == LATEST,
            FEEDBACK.c.received_ms >= ms_of(since),
        )
        .order_by(FEEDBACK.c.prediction)
        .limit(_AT_ONCE)
    )
    after = ""
    while True:
        with store.reading() as connection:
            known = specs(connection, model)
            some = connection.execute(query.where(FEEDBACK.c.prediction > after)).all()
        for row in some:
            content = _row(row, known[row.digest, row.model], texts, counted)
            if content is not None:
                yield content
        if len(some) < _AT_ONCE:
            return
        after = some[-1].id


def _row(row: Any, spec: Any, texts: Texts, counted: dict[str, int]) -> dict[str, object] | None:
    known = texts.get((row.request_id, row.item)) or texts.get(row.text_hash)
    part = task(spec.task).feedback
    if known is None and row.texts is not None:
        if row.redacted and part.BY_CHARACTERS:
            counted["redacted"] += 1
            return None
        known = tuple(json.loads(row.texts))
    if known is None:
        counted["without_text"] += 1
        return None
    counted["rows"] += 1
    columns: dict[str, object] = part.columns(spec, known, json.loads(row.answer), json.loads(row.correct))
    labelled = datetime.fromtimestamp(row.labelled_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {**columns, "request_id": row.request_id, "request_item": row.item, "labelled_at": labelled}


def _nothing(model: str, counted: Mapping[str, int]) -> str:
    without, redacted = counted["without_text"], counted["redacted"]
    if without or redacted:
        return (
            f"{without + redacted:,} labelled predictions of {model} have no text that can be used: serve with "
            "--predictions-text, or give a table with the texts (--texts)"
        )
    return f"there is no feedback on predictions of {model}: check its name and --since"
