"""Predictions that people should look at first: labels that look wrong, models that disagree, unsure answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

import numpy as np
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import specs
from bertline.lifecycle.predictions.foreign import foreign
from bertline.lifecycle.predictions.records import ANSWER, SHADOW, Why, first_id, ms_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS
from bertline.statistics.label_errors import label_errors, label_quality
from bertline.tasks import task

MOST_ROWS = 50_000  # the latest ones, which are looked through for each reason
COLUMNS = (
    "request_id", "index", "why", "score", "version", "answer", "feedback", "shadow", "text", "correct",
)  # fmt: skip
LEAST_PER_LABEL = 5  # rows that a threshold of confident learning is the mean of


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prediction to look at.

    Attributes:
        why: the reason.
        score: the lower, the sooner: plausibility of the label, margin of the answer, or minus the score of a
            foreign text.
        answer: in the form of a correct answer.
        correct: what feedback says, if there is any.
        other: the shadow's answer, where the two disagree.
        texts: if they were kept.
        text_hash: of the texts.
    """

    why: Why
    score: float
    request_id: str
    item: int
    digest: str
    answer: Any
    correct: Any = None
    other: Any = None
    texts: tuple[str, ...] | None = None
    text_hash: str = ""

    def to_json(self) -> dict[str, Any]:
        """All fields by name; ``correct`` is for whoever reviews, and ``feedback import`` reads it."""
        return {
            "request_id": self.request_id,
            "index": self.item,
            "why": self.why,
            "score": round(self.score, 4),
            "version": self.digest[:12],
            "answer": self.answer,
            "feedback": self.correct,
            "shadow": self.other,
            "text": None if self.texts is None else "\n".join(self.texts),
            "correct": None,
        }


def review(
    store: Database, model: str, *, limit: int, since: datetime | None = None, reference: Sequence[str] = ()
) -> list[Candidate]:
    """The predictions to look at first, taken from each reason in turn.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        limit: how many.
        since: predictions from this moment on.
        reference: texts that the model was measured on, to which others are foreign.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    queues: list[Iterable[Candidate]] = [
        wrong_labels(store, model, since=since),
        disagreements(store, model, since=since),
        unlike(store, model, reference, since=since),
        unsure(store, model, since=since),
    ]
    chosen: dict[tuple[str, int], Candidate] = {}
    for turn in zip_longest(*queues):
        for one in turn:
            if one is not None and len(chosen) < limit:
                chosen.setdefault((one.request_id, one.item), one)
    return [*chosen.values()]


def wrong_labels(
    store: Database, model: str, *, since: datetime | None = None, most: int = MOST_ROWS
) -> list[Candidate]:
    """Feedback that is probably wrong, by confident learning for each version; the least plausible first.

    Of labels that exclude each other. The version was not trained on what it predicted, as the rule requires.
    """
    by_digest: dict[str, list[tuple[Any, Any]]] = {}
    for row, spec in _rows(store, model, since=since, labelled=True, most=most):
        by_digest.setdefault(row.digest, []).append((row, spec))
    found = [one for rows in by_digest.values() for one in _wrong(rows)]
    return sorted(found, key=lambda one: one.score)


def _wrong(rows: Sequence[tuple[Any, Any]]) -> Iterator[Candidate]:
    spec = rows[0][1]
    part = task(spec.task).feedback
    kept = [part.probabilities(spec, json.loads(row.answer)) for row, _ in rows]
    if None in kept:
        return
    place = {name: number for number, name in enumerate(spec.labels)}
    given = np.array([place[json.loads(row.correct)] for row, _ in rows])
    shares = np.array([[one.get(name, 0.0) for name in spec.labels] for one in kept])
    common = np.bincount(given, minlength=len(place)) >= LEAST_PER_LABEL
    suspected = label_errors(given, shares) & common[given] & common[shares.argmax(axis=1)]
    quality = label_quality(given, shares)
    for number in np.flatnonzero(suspected).tolist():
        yield _candidate("label error", float(quality[number]), rows[number][0], spec)


def disagreements(
    store: Database, model: str, *, since: datetime | None = None, most: int = MOST_ROWS
) -> list[Candidate]:
    """Answers without feedback that differ from the shadow's; where the model was least sure, first."""
    latest = [*_rows(store, model, since=since, labelled=False, most=most)]
    if not latest:
        return []
    oldest, _ = latest[-1]
    answers, shadows = PREDICTIONS.c, PREDICTIONS.alias("shadows")
    same = (shadows.c.request_id == answers.request_id) & (shadows.c.item == answers.item)
    others = sql.select(answers.id, shadows.c.answer).join(shadows, same & (shadows.c.role == SHADOW))
    others = others.where(answers.model == model, answers.role == ANSWER, answers.id >= oldest.id)
    with store.reading() as connection:
        rows = connection.execute(others.order_by(answers.id.desc()).limit(most))
        by_id = {row.id: row.answer for row in rows}
    found = []
    for row, spec in latest:
        if row.id in by_id:
            part, own, other = task(spec.task).feedback, json.loads(row.answer), json.loads(by_id[row.id])
            theirs = part.as_correct(spec, other)
            if part.right(spec, own, theirs) is False:
                found.append(_candidate("disagreement", part.margin(spec, own) or 0.0, row, spec, theirs))
    return sorted(found, key=lambda one: one.score)


def unsure(store: Database, model: str, *, since: datetime | None = None, most: int = MOST_ROWS) -> list[Candidate]:
    """Answers without feedback, the least sure first."""
    found = []
    for row, spec in _rows(store, model, since=since, labelled=False, most=most):
        margin = task(spec.task).feedback.margin(spec, json.loads(row.answer))
        if margin is not None:
            found.append((margin, row, spec))
    return [_candidate("unsure", margin, row, spec) for margin, row, spec in sorted(found, key=lambda one: one[0])]


def unlike(
    store: Database, model: str, reference: Sequence[str], *, since: datetime | None = None, most: int = MOST_ROWS
) -> list[Candidate]:
    """Answers without feedback to texts that are foreign to the reference, the most foreign first; each text once.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        reference: texts that the model was measured on.
        since: predictions from this moment on.
        most: predictions to look through, the latest ones.
    """
    rows: dict[str, tuple[Any, Any]] = {}
    for row, spec in _rows(store, model, since=since, labelled=False, most=most):
        if row.texts is not None:
            rows.setdefault(row.text_hash, (row, spec))
    each = [*rows.values()]
    found = foreign(reference, [" ".join(json.loads(row.texts)) for row, _ in each])
    return [_candidate("foreign", -one.score, *each[one.place]) for one in found]


def labelled(store: Database, model: str, *, most: int = MOST_ROWS) -> list[Candidate]:
    """Answers with feedback, the latest first."""
    rows = _rows(store, model, since=None, labelled=True, most=most)
    return [_candidate("second opinion", 1.0, row, spec) for row, spec in rows]


def _rows(
    store: Database, model: str, *, since: datetime | None, labelled: bool, most: int
) -> Iterator[tuple[Any, Any]]:
    """The latest predictions with feedback or without any, each with its spec."""
    said = (FEEDBACK.c.prediction == PREDICTIONS.c.id) & (FEEDBACK.c.state == LATEST)
    join = PREDICTIONS.join(FEEDBACK, said, isouter=not labelled)
    query = sql.select(PREDICTIONS, FEEDBACK.c.correct).select_from(join)
    query = query.where(PREDICTIONS.c.model == model, PREDICTIONS.c.role == ANSWER)
    time = FEEDBACK.c.prediction if labelled else PREDICTIONS.c.id  # of the two, the one to begin with
    query = query.where(time >= first_id(ms_of(since))).order_by(time.desc())
    if not labelled:
        query = query.where(
            FEEDBACK.c.prediction.is_(None)
        )  # not its id, by which PostgreSQL does not see an anti-join
    with store.reading() as connection:
        known = specs(connection, model)
        rows = connection.execute(query.limit(most)).all()
    return ((row, known[row.digest, row.model]) for row in rows)


def _candidate(why: Why, score: float, row: Any, spec: Any, other: Any = None) -> Candidate:
    return Candidate(
        why=why,
        score=score,
        request_id=row.request_id,
        item=row.item,
        digest=row.digest,
        answer=task(spec.task).feedback.as_correct(spec, json.loads(row.answer)),
        correct=None if row.correct is None else json.loads(row.correct),
        other=other,
        texts=None if row.texts is None else tuple(json.loads(row.texts)),
        text_hash=row.text_hash,
    )
