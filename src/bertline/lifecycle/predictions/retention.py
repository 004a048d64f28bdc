"""What is deleted: predictions and texts that are old, and everything of a client or a request on demand."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.errors import UsageError
from bertline.lifecycle.predictions.given import WAITING_DAYS
from bertline.lifecycle.predictions.made import client_name
from bertline.lifecycle.predictions.records import first_id, now_ms
from bertline.lifecycle.predictions.schema import (
    ACCURACY_CHECKS,
    DRIFT_CHECKS,
    FEEDBACK,
    INVALID,
    LEASES,
    PREDICTIONS,
    WAITING,
)

DAY_MS = 86_400_000
_AT_ONCE = 500  # rows of a transaction, so that no writer waits long


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted."""

    predictions: int
    feedback: int


class Purge:
    """Deletes what is older than its time, a part at each call, so that nobody who writes waits long.

    Args:
        store: from ``open_store``.
        retention_days: of predictions and the feedback on them.
        text_days: of texts and embeddings.
    """

    def __init__(self, store: Database, *, retention_days: float, text_days: float) -> None:
        self._store, self._retention_ms = store, round(retention_days * DAY_MS)
        self._text_ms = round(text_days * DAY_MS)
        self._forgotten = ""  # the last prediction whose text was looked at: most have none left

    def some(self, at_ms: int | None = None) -> bool:
        """Delete a part; whether there may be more.

        Raises:
            PredictionStoreError: the store cannot be used; what was deleted stays deleted.
        """
        now = now_ms() if at_ms is None else at_ms
        deleted = _delete_some(self._store, PREDICTIONS.c.at_ms < now - self._retention_ms)
        if deleted.predictions == _AT_ONCE or self._forget(first_id(now - self._text_ms)):
            return True
        lost = FEEDBACK.c.received_ms < now - WAITING_DAYS * DAY_MS
        with self._store.changing() as connection:
            _overwrite(connection)
            connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.state.in_((WAITING, INVALID)), lost))
            for checks in (DRIFT_CHECKS, ACCURACY_CHECKS):
                if sql.inspect(connection).has_table(checks.name):  # the store may be of an earlier version
                    # Not each model's last: an alert that checks have stopped goes by it.
                    latest = sql.select(sql.func.max(checks.c.id)).group_by(checks.c.model)
                    old = checks.c.at_ms < now - self._retention_ms, checks.c.id.not_in(latest)
                    connection.execute(sql.delete(checks).where(*old))
            connection.execute(sql.delete(LEASES).where(LEASES.c.until_ms < now))
        return False

    def _forget(self, before: str) -> bool:
        """Delete texts and embeddings of some predictions before an id; whether there may be more."""
        made = PREDICTIONS.c
        kept = (made.texts.is_not(None) | made.embedding.is_not(None)).label("kept")
        query = sql.select(made.id, kept).where(made.id > self._forgotten, made.id < before)
        with self._store.reading() as connection:
            rows = connection.execute(query.order_by(made.id).limit(_AT_ONCE)).all()
        if ids := [row.id for row in rows if row.kept]:
            with self._store.changing() as connection:
                _overwrite(connection)
                forgotten = sql.update(PREDICTIONS).values(texts=None, embedding=None, redacted=False)
                connection.execute(forgotten.where(made.id.in_(ids)))
        if rows:
            self._forgotten = rows[-1].id
        return len(rows) == _AT_ONCE


def erase(store: Database, *, client: str | None = None, request_id: str | None = None) -> Erased:
    """Delete every prediction of a client or a request, and the feedback on it; a file is overwritten.

    Feedback that a client sent on predictions of others stays, without its name.

    Raises:
        UsageError: neither or both are named.
        PredictionStoreError: the store cannot be used; what was deleted stays deleted.
    """
    if (client is None) == (request_id is None):
        raise UsageError("name what is to be erased: give either --client or --request-id")
    if client is not None:
        found = _delete(store, PREDICTIONS.c.client == client_name(client))
        own = FEEDBACK.c.client == client_name(client)
        with store.changing() as connection:
            _overwrite(connection)
            waiting = connection.execute(sql.delete(FEEDBACK).where(own, FEEDBACK.c.prediction.is_(None))).rowcount
            connection.execute(sql.update(FEEDBACK).where(own).values(client=None))
    else:
        found = _delete(store, PREDICTIONS.c.request_id == request_id)
        with store.changing() as connection:
            _overwrite(connection)
            waiting = connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.request_id == request_id)).rowcount
    _truncate_log(store)
    return Erased(found.predictions, found.feedback + waiting)


def _delete(store: Database, which: sql.ColumnElement[bool]) -> Erased:
    predictions = feedback = 0
    while True:
        some = _delete_some(store, which)
        predictions, feedback = predictions + some.predictions, feedback + some.feedback
        if some.predictions < _AT_ONCE:
            return Erased(predictions, feedback)


def _delete_some(store: Database, which: sql.ColumnElement[bool]) -> Erased:
    """At most ``_AT_ONCE`` predictions, and the feedback on them."""
    some = sql.select(PREDICTIONS.c.id).where(which).limit(_AT_ONCE)
    with store.changing() as connection:
        _overwrite(connection)
        ids = connection.scalars(some).all()
        if not ids:
            return Erased(0, 0)
        feedback = connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.prediction.in_(ids))).rowcount
        predictions = connection.execute(sql.delete(PREDICTIONS).where(PREDICTIONS.c.id.in_(ids))).rowcount
    return Erased(predictions, feedback)


def _overwrite(connection: sql.Connection) -> None:
    """SQLite leaves deleted content in its file otherwise."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def _truncate_log(store: Database) -> None:
    """The write-ahead log still has the pages as they were."""
    if store.is_sqlite:
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
