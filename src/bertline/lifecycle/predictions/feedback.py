"""Feedback: what people say was the correct answer to a text of a request.

All feedback is kept, and the latest on a prediction counts: by the time at which it was given where that is known, else
by the time at which it came. So feedback may come late and in any order. Saying the same again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.given import MOST_ITEMS, WAITING_DAYS, Feedback, Outcome
from bertline.lifecycle.predictions.records import ANSWER, new_id, now_ms
from bertline.lifecycle.predictions.schema import (
    FEEDBACK,
    INVALID,
    LATEST,
    MODELS,
    PREDICTIONS,
    SUPERSEDED,
    WAITING,
)
from bertline.tasks import read_spec, task
from bertline.tasks.feedback import FeedbackFault

_PER_QUERY = 400  # parameters of a statement are limited


@dataclass(slots=True)
class _Known:
    """A prediction, and the feedback on it."""

    row: Any
    feedback: list[Any] = field(default_factory=list)


def receive(store: Database, items: Sequence[Feedback], *, client: str | None = None) -> list[Outcome]:
    """Keep feedback, all of it in one transaction; the outcome of each item in their order.

    Raises:
        PredictionStoreError: the store cannot be used; nothing was kept, and the same may be sent again.
    """
    received_ms = now_ms()
    with store.changing() as connection:
        book = _Book(connection, client, received_ms)
        book.find({(one.request_id, one.item) for one in items})
        return [book.take(one) for one in items]


def adopt(store: Database) -> int:
    """Give waiting feedback to the predictions that have come since; the number that was adopted.

    Raises:
        PredictionStoreError: the store cannot be used.
    """
    join = FEEDBACK.join(
        PREDICTIONS,
        (FEEDBACK.c.request_id == PREDICTIONS.c.request_id) & (FEEDBACK.c.item == PREDICTIONS.c.item),
    )
    query = sql.select(FEEDBACK).select_from(join).where(FEEDBACK.c.state == WAITING, PREDICTIONS.c.role == ANSWER)
    with store.reading() as connection:
        if connection.execute(query.limit(1)).first() is None:
            return 0
    with store.changing() as connection:
        rows = {row.id: row for row in connection.execute(query.order_by(FEEDBACK.c.id).limit(10 * MOST_ITEMS))}
        for row in rows.values():
            book = _Book(connection, row.client, row.received_ms)
            book.find({(row.request_id, row.item)})
            connection.execute(sql.delete(FEEDBACK).where(FEEDBACK.c.id == row.id))
            given = Feedback(
                row.request_id, json.loads(row.correct), row.item, row.source, row.annotator, row.labelled_ms
            )
            book.take(given, keep_invalid=True)
        return len(rows)


class _Book:
    """Predictions and feedback within one transaction."""

    def __init__(self, connection: sql.Connection, client: str | None, received_ms: int) -> None:
        self._connection, self._client, self._received_ms = connection, client, received_ms
        self._known: dict[tuple[str, int], _Known] = {}
        self._specs: dict[tuple[str, str], Any] = {}

    def find(self, keys: set[tuple[str, int]]) -> None:
        """Read what the store has of these requests. Of several predictions with one id the latest counts."""
        query = sql.select(PREDICTIONS).where(PREDICTIONS.c.role == ANSWER).order_by(PREDICTIONS.c.id)
        for some in _parts(sorted({request_id for request_id, _ in keys})):
            for row in self._connection.execute(query.where(PREDICTIONS.c.request_id.in_(some))):
                self._known[row.request_id, row.item] = _Known(row)
        by_id = {one.row.id: one for key, one in self._known.items() if key in keys}
        said = sql.select(FEEDBACK).order_by(FEEDBACK.c.id)
        for some in _parts(sorted(by_id)):
            for row in self._connection.execute(said.where(FEEDBACK.c.prediction.in_(some))):
                by_id[row.prediction].feedback.append(row)

    def take(self, given: Feedback, *, keep_invalid: bool = False) -> Outcome:
        """Keep one item."""
        known = self._known.get((given.request_id, given.item))
        if known is None:
            return self._wait(given)
        row, spec = known.row, self._spec(known.row)
        part, answer = task(spec.task).feedback, json.loads(row.answer)
        try:
            correct = part.target(spec, given.correct, answer, row.characters)
        except FeedbackFault as fault:
            if keep_invalid:
                self._insert(given, None, INVALID, given.correct)
            return Outcome("invalid", f"the correct answer {fault}", row.model, row.digest)
        right, off = part.right(spec, answer, correct), part.off(spec, answer, correct)
        about = {
            "model": row.model, "digest": row.digest, "right": right,
            "age_s": max(0.0, (self._received_ms - row.at_ms) / 1000),
        }  # fmt: skip
        if self._is_duplicate(given, known, correct):
            return Outcome("duplicate", **about)
        now = next((one for one in known.feedback if one.state == LATEST), None)
        at_ms = self._at(given, known)
        later = now is None or at_ms >= now.labelled_ms
        if now is not None and later:
            self._set_state(known, now.id, SUPERSEDED)
        written = self._insert(given, row.id, LATEST if later else SUPERSEDED, correct, right, off, at_ms)
        known.feedback.append(written)
        if now is None or json.loads(now.correct) == correct:  # two annotators agree
            return Outcome("counted", **about)
        if later:
            return Outcome("corrected", "it contradicts earlier feedback and counts instead", **about)
        return Outcome("superseded", "it contradicts later feedback, which still counts", **about)

    def _is_duplicate(self, given: Feedback, known: _Known, correct: Any) -> bool:
        """Whether the last word of the same annotator was the same, or an earlier one at the same time."""
        own = [one for one in known.feedback if (one.source, one.annotator) == (given.source, given.annotator)]
        if not own:
            return False
        last = max(own, key=lambda one: (one.labelled_ms, one.id))
        same = [one for one in own if json.loads(one.correct) == correct]
        if given.labelled_ms is not None:
            return any(one.labelled_ms == given.labelled_ms for one in same)
        return last in same

    def _wait(self, given: Feedback) -> Outcome:
        table = FEEDBACK.c
        query = sql.select(table.correct).where(
            table.request_id == given.request_id,
            table.item == given.item,
            table.state == WAITING,
            table.source == given.source,
            table.annotator == given.annotator,
        )
        said = self._connection.scalar(query.order_by(table.labelled_ms.desc(), table.id.desc()).limit(1))
        message = f"there is no such prediction (yet); kept for {WAITING_DAYS} days"
        if said is None or said != _json(given.correct):
            self._insert(given, None, WAITING, given.correct)
        return Outcome("unknown", message)

    def _insert(
        self,
        given: Feedback,
        prediction: str | None,
        state: str,
        correct: Any,
        right: bool | None = None,
        off: float | None = None,
        at_ms: int | None = None,
    ) -> Any:
        values = {
            "id": new_id(self._received_ms),
            "prediction": prediction,
            "request_id": given.request_id,
            "item": given.item,
            "state": state,
            "correct": _json(correct),
            "right": right,
            "off": off,
            "source": given.source,
            "annotator": given.annotator,
            "client": self._client,
            "labelled_ms": self._at(given) if at_ms is None else at_ms,
            "received_ms": self._received_ms,
        }
        self._connection.execute(sql.insert(FEEDBACK).values(values))
        return _Said(**{name: values[name] for name in _Said.__dataclass_fields__})  # type: ignore[arg-type]

    def _set_state(self, known: _Known, id: str, state: str) -> None:
        self._connection.execute(sql.update(FEEDBACK).where(FEEDBACK.c.id == id).values(state=state))
        names = _Said.__dataclass_fields__
        known.feedback = [
            _Said(**{**{name: getattr(one, name) for name in names}, **({"state": state} if one.id == id else {})})
            for one in known.feedback
        ]

    def _at(self, given: Feedback, known: _Known | None = None) -> int:
        """When it was given. Where that is not known, what comes last is the last."""
        if given.labelled_ms is not None:
            return min(given.labelled_ms, self._received_ms)
        before: list[int] = [] if known is None else [one.labelled_ms + 1 for one in known.feedback]
        return max([self._received_ms, *before])

    def _spec(self, row: Any) -> Any:
        key = row.digest, row.model
        if key not in self._specs:
            self._specs |= specs(self._connection, row.model)
        return self._specs[key]


@dataclass(frozen=True, slots=True)
class _Said:
    """Feedback in a transaction."""

    id: str
    state: str
    correct: str
    source: str
    annotator: str
    labelled_ms: int


def specs(connection: sql.Connection, model: str) -> Mapping[tuple[str, str], Any]:
    """The spec of each version of a model, by digest and name."""
    rows = connection.execute(sql.select(MODELS).where(MODELS.c.model == model))
    return {(row.digest, row.model): read_spec(json.loads(row.spec)) for row in rows}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + _PER_QUERY] for start in range(0, len(values), _PER_QUERY))
