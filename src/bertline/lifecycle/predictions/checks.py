"""What checks for drift found in the predictions of each model: what the server's metrics show of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import new_id
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS


@dataclass(frozen=True, slots=True)
class DriftCheck:
    """One comparison of predictions with what the model was measured on.

    Attributes:
        model: its name for clients.
        at_ms: when it was made.
        texts: number of predictions that were compared.
        kind: what changed: none, labels or texts.
        p_values: of each test, adjusted for their number.
        accuracy: estimated without labels; None where it cannot be.
        level: chance of a false alarm of all tests together; None of a check that was kept without it.
    """

    model: str
    at_ms: int
    texts: int
    kind: str
    p_values: Mapping[str, float]
    accuracy: float | None
    level: float | None


def add_check(store: Database, check: DriftCheck) -> None:
    """Keep what a check found.

    Raises:
        PredictionStoreError: the store cannot be used; nothing was kept.
    """
    row = {
        "id": new_id(check.at_ms),
        "model": check.model,
        "at_ms": check.at_ms,
        "texts": check.texts,
        "kind": check.kind,
        "p_values": json.dumps(dict(check.p_values)),
        "accuracy": check.accuracy,
        "level": check.level,
    }
    with store.changing() as connection:
        there = {column.name for column in _columns(connection)}
        connection.execute(sql.insert(DRIFT_CHECKS).values({name: row[name] for name in row if name in there}))


def latest_checks(store: Database) -> list[DriftCheck]:
    """The latest check of each model.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    latest = sql.select(sql.func.max(DRIFT_CHECKS.c.id)).group_by(DRIFT_CHECKS.c.model)
    with store.reading() as connection:
        return sorted(_read(connection, DRIFT_CHECKS.c.id.in_(latest)), key=lambda one: one.model)


def checks_since(connection: sql.Connection, model: str, since_ms: int) -> list[DriftCheck]:
    """The checks of a model from a moment on, the oldest first."""
    return _read(connection, DRIFT_CHECKS.c.model == model, DRIFT_CHECKS.c.at_ms >= since_ms)


def _read(connection: sql.Connection, *which: sql.ColumnElement[bool]) -> list[DriftCheck]:
    rows = connection.execute(sql.select(*_columns(connection)).where(*which).order_by(DRIFT_CHECKS.c.id))
    return [
        DriftCheck(
            one.model,
            one.at_ms,
            one.texts,
            one.kind,
            json.loads(one.p_values),
            one.accuracy,
            getattr(one, "level", None),
        )
        for one in rows
    ]


def _columns(connection: sql.Connection) -> list[sql.Column[Any]]:
    """Those of the table as it is: it may be of an earlier version, in a store whose tables cannot be changed."""
    there = {column["name"] for column in sql.inspect(connection).get_columns(DRIFT_CHECKS.name)}
    return [column for column in DRIFT_CHECKS.c if column.name in there]
