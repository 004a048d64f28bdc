"""Feedback that is taken back by whoever gave it, as after a slip of the finger: as if it had never been given."""

from __future__ import annotations

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.schema import FEEDBACK, INVALID, LATEST, SUPERSEDED


def withdraw(
    store: Database, request_id: str, item: int, *, source: str, annotator: str, client: str | None = None
) -> bool:
    """Delete the last feedback of an annotator on one text; what was said before counts again.

    Args:
        store: from ``open_store``.
        request_id: of the prediction.
        item: index of the text in the request.
        source: of the feedback.
        annotator: who gave it.
        client: who sent it; nobody takes back what another client sent.

    Returns:
        Whether there was any.

    Raises:
        PredictionStoreError: the store cannot be used.
    """
    said = FEEDBACK.c
    own = sql.select(FEEDBACK).where(
        said.request_id == request_id,
        said.item == item,
        said.source == source,
        said.annotator == annotator,
        said.client.is_not_distinct_from(client),
        said.state != INVALID,
    )
    with store.changing() as connection:
        row = connection.execute(own.order_by(said.labelled_ms.desc(), said.id.desc()).limit(1)).first()
        if row is None:
            return False
        connection.execute(sql.delete(FEEDBACK).where(said.id == row.id))
        if row.state == LATEST:
            others = sql.select(said.id).where(said.prediction == row.prediction, said.state == SUPERSEDED)
            before = connection.scalar(others.order_by(said.labelled_ms.desc(), said.id.desc()).limit(1))
            connection.execute(sql.update(FEEDBACK).where(said.id == before).values(state=LATEST))
    return True
