"""What was kept of predictions: answers, and texts where they were kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import ANSWER, first_id, ms_of
from bertline.lifecycle.predictions.schema import PREDICTIONS
from bertline.text import Input

Span = tuple[datetime | None, datetime | None]  # from this moment on, and before that one; None has no bound
ALWAYS: Span = (None, None)
_AT_ONCE = 1000
_RANDOM, _SEEDS = 13, 12  # of an id: its first random digit, and how many of them a sample may begin with


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer without its text.

    Attributes:
        answer: JSON of ``tasks.*.feedback.recorded``.
        read_tokens: that the model read.
        cut_tokens: that truncation left out.
        embedding: bytes of float32 in little-endian order, of one of the sample.
    """

    answer: str
    read_tokens: int
    cut_tokens: int
    embedding: bytes | None


def kept_texts(
    store: Database, model: str, span: Span = ALWAYS, *, most: int, seed: int = 0
) -> tuple[list[Input], int, int]:
    """A random sample of the inputs that a model answered, the oldest first.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        span: when the predictions were made.
        most: size of the sample.
        seed: of the choice.

    Returns:
        The inputs, the number of predictions without text, and how many of the inputs were redacted.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    mine, columns = _mine(model, span), (PREDICTIONS.c.texts, PREDICTIONS.c.redacted)
    with store.reading() as connection:
        without = connection.scalar(
            sql.select(sql.func.count()).select_from(PREDICTIONS).where(*mine, PREDICTIONS.c.texts.is_(None))
        )
        found = _sample(connection, columns, (*mine, PREDICTIONS.c.texts.is_not(None)), most, seed)
    inputs = [tuple(json.loads(one.texts)) for one in found]
    return (
        [one[0] if len(one) == 1 else one for one in inputs],
        int(without or 0),
        sum(one.redacted for one in found),
    )


def kept_answers(
    store: Database, model: str, digest: str, span: Span = ALWAYS, *, most: int, seed: int = 0
) -> list[KeptAnswer]:
    """A random sample of the answers that one version of a model gave, the oldest first.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        digest: of its bundle.
        span: when the predictions were made.
        most: size of the sample.
        seed: of the choice.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    columns = [PREDICTIONS.c[one.name] for one in fields(KeptAnswer)]
    with store.reading() as connection:
        found = _sample(connection, columns, (*_mine(model, span), PREDICTIONS.c.digest == digest), most, seed)
    return [KeptAnswer(**one._mapping) for one in found]


def _mine(model: str, span: Span) -> tuple[sql.ColumnElement[bool], ...]:
    since, until = span
    id = PREDICTIONS.c.id
    end = () if until is None else (id < first_id(ms_of(until)),)
    return PREDICTIONS.c.model == model, PREDICTIONS.c.role == ANSWER, id >= first_id(ms_of(since)), *end


def _sample(
    connection: sql.Connection,
    columns: Sequence[sql.ColumnElement[object]],
    where: Sequence[sql.ColumnElement[bool]],
    most: int,
    seed: int,
) -> list[sql.Row[tuple[object, ...]]]:
    """Those whose ids have the smallest random digits: the database chooses, so only the sample is in memory."""
    drawn = sql.func.substr(PREDICTIONS.c.id, _RANDOM + seed % _SEEDS)
    chosen = sorted(connection.scalars(sql.select(PREDICTIONS.c.id).where(*where).order_by(drawn).limit(most)))
    found: list[sql.Row[tuple[object, ...]]] = []
    for start in range(0, len(chosen), _AT_ONCE):
        some = sql.select(*columns).where(PREDICTIONS.c.id.in_(chosen[start : start + _AT_ONCE]))
        found += connection.execute(some.order_by(PREDICTIONS.c.id))
    return found
