"""Texts that were kept of predictions."""

from __future__ import annotations

import json
import random
from datetime import datetime

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import ANSWER, ms_of
from bertline.lifecycle.predictions.schema import PREDICTIONS
from bertline.text import Input

_AT_ONCE = 1000


def kept_texts(
    store: Database, model: str, since: datetime | None = None, *, most: int, seed: int = 0
) -> tuple[list[Input], int, int]:
    """A random sample of the inputs that a model answered, the oldest first.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        since: predictions from this moment on.
        most: size of the sample.
        seed: of the choice.

    Returns:
        The inputs, the number of predictions without text, and how many of the inputs were redacted.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    mine = (PREDICTIONS.c.model == model, PREDICTIONS.c.role == ANSWER, PREDICTIONS.c.at_ms >= ms_of(since))
    with store.reading() as connection:
        without = connection.scalar(
            sql.select(sql.func.count()).select_from(PREDICTIONS).where(*mine, PREDICTIONS.c.texts.is_(None))
        )
        ids = list(
            connection.scalars(
                sql.select(PREDICTIONS.c.id).where(*mine, PREDICTIONS.c.texts.is_not(None)).order_by(PREDICTIONS.c.id)
            )
        )
        chosen = ids if len(ids) <= most else sorted(random.Random(seed).sample(ids, most))
        found: list[tuple[str, bool]] = []
        for start in range(0, len(chosen), _AT_ONCE):
            query = sql.select(PREDICTIONS.c.texts, PREDICTIONS.c.redacted).where(
                PREDICTIONS.c.id.in_(chosen[start : start + _AT_ONCE])
            )
            found += [(row.texts, row.redacted) for row in connection.execute(query.order_by(PREDICTIONS.c.id))]
    inputs = [tuple(json.loads(texts)) for texts, _ in found]
    return (
        [one[0] if len(one) == 1 else one for one in inputs],
        int(without or 0),
        sum(redacted for _, redacted in found),
    )
