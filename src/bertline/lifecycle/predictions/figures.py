"""How often each version was right, by the feedback on its predictions: one per prediction, the latest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import ANSWER, SHADOW, first_id, ms_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, MODELS, PREDICTIONS, SUPERSEDED
from bertline.statistics.intervals import Estimate, wilson

JOINED = FEEDBACK.join(PREDICTIONS, FEEDBACK.c.prediction == PREDICTIONS.c.id)


@dataclass(frozen=True, slots=True)
class Counts:
    """Predictions of one version on which there is feedback.

    Attributes:
        right: whose answer was right.
        wrong: whose answer was wrong.
        unjudged: which are neither, as numbers and embeddings.
    """

    right: int = 0
    wrong: int = 0
    unjudged: int = 0

    @property
    def accuracy(self) -> Estimate:
        """With Wilson's 95 % interval."""
        return wilson(self.right, self.right + self.wrong)


def counts(
    store: Database, model: str, *, since: datetime | None = None, until: datetime | None = None, role: str = ANSWER
) -> dict[str, Counts]:
    """Counts by digest of the version.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        since: predictions from this moment on, whenever their feedback came.
        until: predictions before this moment.
        role: of the predictions.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    conditions = [*judged_of(model, since, role)]
    if until is not None:
        conditions.append(FEEDBACK.c.prediction < first_id(ms_of(until)))
    return {digest: found for (_, digest), found in _counted(store, conditions).items()}


def counts_of_all(store: Database) -> dict[tuple[str, str], Counts]:
    """Counts by model, as clients name it, and digest of the version, of all answers to clients.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    return _counted(store, [PREDICTIONS.c.role == ANSWER])


def _counted(store: Database, conditions: Sequence[sql.ColumnElement[bool]]) -> dict[tuple[str, str], Counts]:
    version = PREDICTIONS.c.model, PREDICTIONS.c.digest
    query = (
        sql.select(*version, FEEDBACK.c.right, sql.func.count())
        .select_from(JOINED)
        .where(*conditions, FEEDBACK.c.state == LATEST)
        .group_by(*version, FEEDBACK.c.right)
    )
    found: dict[tuple[str, str], dict[bool | None, int]] = {}
    with store.reading() as connection:
        for model, digest, right, number in connection.execute(query):
            found.setdefault((model, digest), {})[right] = number
    return {key: Counts(each.get(True, 0), each.get(False, 0), each.get(None, 0)) for key, each in found.items()}


def labelled_since(store: Database, model: str, since: datetime | None = None, *, with_text: bool = True) -> int:
    """Number of predictions whose feedback came since a moment.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        since: feedback received from this moment on; a later one on the same prediction counts, the earlier does not.
        with_text: only those whose text was kept, which ``labelled.write_labelled`` can export.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    query = (
        sql.select(sql.func.count())
        .select_from(JOINED)
        .where(*judged_of(model), FEEDBACK.c.state == LATEST, FEEDBACK.c.received_ms >= ms_of(since))
    )
    if with_text:
        query = query.where(PREDICTIONS.c.texts.is_not(None))
    with store.reading() as connection:
        return int(connection.scalar(query) or 0)


@dataclass(frozen=True, slots=True)
class States:
    """How much there is of a model, or of all of them.

    Attributes:
        predictions: answers to clients.
        shadows: predictions for comparison.
        with_text: answers whose text was kept.
        feedback: items of feedback by state; those that wait belong to no model yet.
    """

    predictions: int
    shadows: int
    with_text: int
    feedback: dict[str, int]


def states(store: Database, model: str, *, since: datetime | None = None) -> States:
    """What the store has of a model since a moment.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    role, texts = PREDICTIONS.c.role, PREDICTIONS.c.texts
    made = sql.select(role, sql.func.count(), sql.func.count(texts)).group_by(role)
    mine = PREDICTIONS.c.model == model, role.in_((ANSWER, SHADOW)), PREDICTIONS.c.id >= first_id(ms_of(since))
    said = sql.select(FEEDBACK.c.state, sql.func.count()).group_by(FEEDBACK.c.state)
    joined = said.select_from(JOINED).where(*judged_of(model, since), FEEDBACK.c.state.in_((LATEST, SUPERSEDED)))
    with store.reading() as connection:
        rows = {one: (number, kept) for one, number, kept in connection.execute(made.where(*mine))}
        feedback = {state: int(number) for state, number in connection.execute(joined)}
        alone = connection.execute(said.where(FEEDBACK.c.prediction.is_(None)))
        feedback |= {state: int(number) for state, number in alone}
    number, kept = rows.get(ANSWER, (0, 0))
    return States(number, rows.get(SHADOW, (0, 0))[0], kept, feedback)


def models(store: Database) -> list[str]:
    """The names of the models that predicted.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    with store.reading() as connection:
        return list(connection.scalars(sql.select(MODELS.c.model).distinct().order_by(MODELS.c.model)))


def judged_of(model: str, since: datetime | None = None, role: str = ANSWER) -> tuple[sql.ColumnElement[bool], ...]:
    """Conditions on ``JOINED``: the feedback on predictions of a model since a moment.

    The range is one of the feedback's own column even from the beginning on. So SQLite, which knows nothing of how many
    rows there are, looks a prediction up for each feedback, and not feedback for each of many more predictions.
    """
    said = FEEDBACK.c.prediction >= first_id(ms_of(since))
    return said, PREDICTIONS.c.model == model, PREDICTIONS.c.role == role
