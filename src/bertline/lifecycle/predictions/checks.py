"""What checks for drift found in the predictions of each model: what the server's metrics show of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

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
    """

    model: str
    at_ms: int
    texts: int
    kind: str
    p_values: Mapping[str, float]
    accuracy: float | None


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
    }
    with store.changing() as connection:
        connection.execute(sql.insert(DRIFT_CHECKS).values(row))


def latest_checks(store: Database) -> list[DriftCheck]:
    """The latest check of each model.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    latest = sql.select(sql.func.max(DRIFT_CHECKS.c.id)).group_by(DRIFT_CHECKS.c.model)
    query = sql.select(DRIFT_CHECKS).where(DRIFT_CHECKS.c.id.in_(latest)).order_by(DRIFT_CHECKS.c.model)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [
        DriftCheck(one.model, one.at_ms, one.texts, one.kind, json.loads(one.p_values), one.accuracy) for one in rows
    ]
