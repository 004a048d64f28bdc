"""What tests of the feedback on each version found: what the server's metrics and the page show of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import new_id
from bertline.lifecycle.predictions.schema import ACCURACY_CHECKS


@dataclass(frozen=True, slots=True)
class AccuracyCheck:
    """One test of whether the accuracy of a version has dropped.

    Attributes:
        model: its name for clients.
        digest: of the version's bundle.
        at_ms: when it was made.
        labels: number of predictions with feedback that were looked at.
        accuracy: of those since the drop; of all of them without one.
        expected: by the bundle's test rows, less their standard error.
        dropped: whether accuracy dropped, and is still below what was expected.
        since_ms: when the first prediction after the drop was made; None without one.
    """

    model: str
    digest: str
    at_ms: int
    labels: int
    accuracy: float
    expected: float
    dropped: bool
    since_ms: int | None


def add_accuracy_check(store: Database, check: AccuracyCheck) -> None:
    """Keep what a test found; nothing is kept in a store of an earlier version whose tables cannot be changed.

    Raises:
        PredictionStoreError: the store cannot be used; nothing was kept.
    """
    with store.changing() as connection:
        if _is_there(connection):
            connection.execute(sql.insert(ACCURACY_CHECKS).values(id=new_id(check.at_ms), **asdict(check)))


def latest_accuracy_checks(store: Database, model: str | None = None) -> list[AccuracyCheck]:
    """The latest test of each model, or of one.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    made = ACCURACY_CHECKS.c
    latest = sql.select(sql.func.max(made.id)).group_by(made.model)
    if model is not None:
        latest = latest.where(made.model == model)
    fields = [made[name] for name in AccuracyCheck.__slots__]
    with store.reading() as connection:
        if not _is_there(connection):
            return []
        rows = connection.execute(sql.select(*fields).where(made.id.in_(latest)).order_by(made.model))
        return [AccuracyCheck(*row) for row in rows]


def _is_there(connection: sql.Connection) -> bool:
    """Whether the table is: the store may be of an earlier version."""
    return sql.inspect(connection).has_table(ACCURACY_CHECKS.name)
