"""What is deleted: predictions and texts that are old, and everything of a client or a request on demand."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.errors import UsageError
from bertline.lifecycle.predictions.given import WAITING_DAYS
from bertline.lifecycle.predictions.made import client_name
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS, FEEDBACK, INVALID, LEASES, PREDICTIONS, WAITING

DAY_MS = 86_400_000
_AT_ONCE = 500  # rows of a transaction, so that no writer waits long


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted."""

    predictions: int
    feedback: int


def purge(store: Database, *, retention_days: float, text_days: float, at_ms: int | None = None) -> int:
    """Delete what is older than its time; the number of predictions.

    Raises:
        PredictionStoreError: the store cannot be used; what was deleted stays deleted.
    """
    now = now_ms() if at_ms is None else at_ms
    deleted = _delete(store, PREDICTIONS.c.at_ms < now - round(retention_days * DAY_MS)).predictions
    old = PREDICTIONS.c.at_ms < now - round(text_days * DAY_MS)
    kept = PREDICTIONS.c.texts.is_not(None) | PREDICTIONS.c.embedding.is_not(None)
    forgotten = sql.update(PREDICTIONS).where(old, kept).values(texts=None, embedding=None, redacted=False)
    lost = FEEDBACK.c.received_ms < now - WAITING_DAYS * DAY_MS
    with store.changing() as connection:
        _overwrite(connection)
        connection.execute(forgotten)
        connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.state.in_((WAITING, INVALID)), lost))
        connection.execute(sql.delete(DRIFT_CHECKS).where(DRIFT_CHECKS.c.at_ms < now - round(retention_days * DAY_MS)))
        connection.execute(sql.delete(LEASES).where(LEASES.c.until_ms < now))
    return deleted


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
    some = sql.select(PREDICTIONS.c.id).where(which).limit(_AT_ONCE)
    while True:
        with store.changing() as connection:
            _overwrite(connection)
            ids = connection.scalars(some).all()
            feedback += connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.prediction.in_(ids))).rowcount
            predictions += connection.execute(sql.delete(PREDICTIONS).where(PREDICTIONS.c.id.in_(ids))).rowcount
        if len(ids) < _AT_ONCE:
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
