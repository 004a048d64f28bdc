"""Predictions with the feedback that counts on them: accuracy by version and slice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import specs
from bertline.lifecycle.predictions.figures import JOINED, judged_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS
from bertline.statistics.intervals import Estimate, percentile, resampled_sums, wilson
from bertline.statistics.slices import Slice, accuracy_of, by_column, by_length
from bertline.tasks import task

BUCKETS = 3  # of lengths
MOST_ROWS = 200_000  # of a version, the latest


@dataclass(frozen=True, slots=True)
class Judged:
    """One prediction and what would have been correct.

    Attributes:
        right: None if it is neither right nor wrong.
        off: distance from the correct number, of tasks that have one.
        tokens: of its text, cut ones included.
        fields: values to break accuracy down by.
    """

    id: str
    digest: str
    right: bool | None
    off: float | None
    tokens: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Live:
    """Figures of one version by feedback.

    Attributes:
        rows: predictions with feedback.
        accuracy: of those that can be right or wrong; None if there are none.
        off: mean distance from the correct number; None if the task has no such numbers.
        slices: by the name of what they are slices of.
    """

    digest: str
    rows: int
    accuracy: Estimate | None
    off: Estimate | None
    slices: Mapping[str, Sequence[Slice]]

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {
            "digest": self.digest,
            "rows": self.rows,
            "accuracy": self.accuracy and self.accuracy.to_json(),
            "off": self.off and self.off.to_json(),
            "slices": {name: [one.to_json() for one in some] for name, some in self.slices.items()},
        }


def live(store: Database, model: str, *, since: datetime | None = None) -> list[Live]:
    """Figures of each version of a model, of predictions since a moment.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    by_digest: dict[str, list[Judged]] = {}
    for one in judged(store, model, since=since):
        by_digest.setdefault(one.digest, []).append(one)
    return [_live(digest, rows) for digest, rows in by_digest.items()]


def judged(store: Database, model: str, *, since: datetime | None = None) -> list[Judged]:
    """The predictions with feedback, the latest ``MOST_ROWS``, the oldest of them first.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    made, said = PREDICTIONS.c, FEEDBACK.c
    query = (
        sql.select(
            made.id, made.digest, made.model, made.read_tokens, made.cut_tokens, made.answer, made.client,
            said.right, said.off, said.correct, said.source,
        )
        .select_from(JOINED)
        .where(*judged_of(model, since), said.state == LATEST)
        .order_by(said.prediction.desc())
        .limit(MOST_ROWS)
    )  # fmt: skip
    with store.reading() as connection:
        known = specs(connection, model)
        rows = connection.execute(query).all()
    return [_judged(row, known[row.digest, row.model]) for row in reversed(rows)]


def _judged(row: Any, spec: Any) -> Judged:
    own = task(spec.task).feedback.fields(spec, json.loads(row.answer), json.loads(row.correct))
    fields = {**own, "text": "cut" if row.cut_tokens else "whole", "client": row.client or "", "source": row.source}
    return Judged(row.id, row.digest, row.right, row.off, row.read_tokens + row.cut_tokens, fields)


def _live(digest: str, rows: Sequence[Judged]) -> Live:
    decided = [one for one in rows if one.right is not None]
    right = np.array([one.right for one in decided], dtype=bool)
    slices: dict[str, Sequence[Slice]] = {}
    if decided:
        every = by_column([one.fields for one in decided], accuracy_of(right))
        slices = {name: some for name, some in every.items() if len(some) > 1}
        lengths = by_length(np.array([one.tokens for one in decided]), accuracy_of(right), buckets=BUCKETS)
        slices |= {"length": lengths} if len(lengths) > 1 else {}
    off = np.array([one.off for one in rows if one.off is not None])
    accuracy = wilson(int(right.sum()), len(right)) if decided else None
    return Live(digest, len(rows), accuracy, _mean(off) if len(off) else None, slices)


def _mean(values: np.ndarray[Any, Any]) -> Estimate:
    means = resampled_sums(values[:, None], seed=0)[:, 0] / len(values)
    return percentile(float(values.mean()), means)
