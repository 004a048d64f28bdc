"""A model over time, in equal steps: its texts by version, accuracy by feedback, confidence and drift checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.checks import DriftCheck, checks_since
from bertline.lifecycle.predictions.feedback import specs
from bertline.lifecycle.predictions.figures import JOINED, Counts, judged_of
from bertline.lifecycle.predictions.records import ANSWER, first_id
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS
from bertline.tasks import task

HOUR_S = 3600
MOST_ANSWERS = 5_000  # whose confidence is read, chosen at random
_TAIL, _DIGITS = 13, 4  # of an id: its first random digit, and how many of them choose
# Of a span of up to so many days, the length of a step in hours.
_STEPS = ((2, 1), (8, 6), (40, 24), (120, 72))
_LONGEST = 168


@dataclass(slots=True)
class Step:
    """One step.

    Attributes:
        at_s: Unix time of its beginning.
        texts: answered by each version, by digest.
        feedback: on those answers that can be right or wrong, whenever it came.
        confidence: mean probability of the labels and entities given, in a sample of the answers, as in the metric
            ``bertline_confidence`` (``tasks.*.feedback.confidences``); None without any.
    """

    at_s: int
    texts: dict[str, int] = field(default_factory=dict)
    feedback: Counts = field(default_factory=Counts)
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The steps of a span without gaps, the oldest first, and the drift checks that were made in it."""

    step_s: int
    steps: list[Step]
    checks: list[DriftCheck]


def step_of(days: int) -> int:
    """The length of a step in seconds, so that a span has a few dozen.

    >>> [step_of(days) // HOUR_S for days in (1, 7, 30, 90, 366)]
    [1, 6, 24, 72, 168]
    """
    return HOUR_S * next((hours for most, hours in _STEPS if days <= most), _LONGEST)


def history(store: Database, model: str, days: int, now_s: float) -> History:
    """The last days of a model.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        days: of the span.
        now_s: Unix time of its end.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    step_s = step_of(days)
    begin_s = int(now_s - days * 24 * HOUR_S) // step_s * step_s
    steps = {at_s: Step(at_s) for at_s in range(begin_s, int(now_s) + 1, step_s)}
    step_ms: sql.ColumnElement[int] = sql.literal_column(str(1000 * step_s))  # PostgreSQL groups by no parameter
    at = (PREDICTIONS.c.at_ms - PREDICTIONS.c.at_ms % step_ms).label("at")
    mine = PREDICTIONS.c.model == model, PREDICTIONS.c.role == ANSWER, PREDICTIONS.c.id >= first_id(1000 * begin_s)
    with store.reading() as connection:
        made = sql.select(at, PREDICTIONS.c.digest, sql.func.count()).where(*mine).group_by(at, PREDICTIONS.c.digest)
        for at_ms, digest, number in connection.execute(made):
            _step(steps, at_ms).texts[digest] = number
        said = sql.select(at, FEEDBACK.c.right, sql.func.count()).select_from(JOINED)
        on_mine = judged_of(model, datetime.fromtimestamp(begin_s, UTC))
        said = said.where(*on_mine, FEEDBACK.c.state == LATEST).group_by(at, FEEDBACK.c.right)
        judged: dict[int, dict[bool | None, int]] = {}
        for at_ms, right, number in connection.execute(said):
            judged.setdefault(at_ms, {})[right] = number
        for at_ms, each in judged.items():
            _step(steps, at_ms).feedback = Counts(each.get(True, 0), each.get(False, 0), each.get(None, 0))
        texts = sum(number for one in steps.values() for number in one.texts.values())
        for at_ms, confidence in _confidence(connection, model, at, mine, texts).items():
            _step(steps, at_ms).confidence = confidence
        checks = checks_since(connection, model, 1000 * begin_s)
    return History(step_s, [*steps.values()], checks)


def _step(steps: dict[int, Step], at_ms: int) -> Step:
    """The step that begins then; a clock that is ahead may have written into a later one."""
    return steps.setdefault(at_ms // 1000, Step(at_ms // 1000))


def _confidence(
    connection: sql.Connection,
    model: str,
    at: sql.Label[int],
    mine: tuple[sql.ColumnElement[bool], ...],
    texts: int,
) -> Mapping[int, float]:
    """The mean confidence of each step, of about ``MOST_ANSWERS`` answers, chosen by the random part of their ids."""
    query = sql.select(at, PREDICTIONS.c.model, PREDICTIONS.c.digest, PREDICTIONS.c.answer).where(*mine)
    if texts > MOST_ANSWERS:
        below = f"{16**_DIGITS * MOST_ANSWERS // texts:0{_DIGITS}x}"
        query = query.where(sql.func.substr(PREDICTIONS.c.id, _TAIL, _DIGITS) < below)
    known = specs(connection, model)
    given: dict[int, list[float]] = {}
    for at_ms, name, digest, answer in connection.execute(query):
        spec = known[digest, name]
        given.setdefault(at_ms, []).extend(task(spec.task).feedback.confidences(spec, json.loads(answer)))
    return {at_ms: sum(each) / len(each) for at_ms, each in given.items() if each}
