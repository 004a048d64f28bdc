"""Who labelled how much, and how far they agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.figures import JOINED, judged_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS, SUPERSEDED
from bertline.statistics.agreement import alpha
from bertline.statistics.intervals import Estimate

MOST_LABELS = 50_000  # the latest ones


@dataclass(frozen=True, slots=True)
class Annotators:
    """The labels of a model's texts.

    Attributes:
        texts: that have a label.
        labels: by annotator, or by source where that has no name; the busiest first.
        shared: texts with labels of two people or more.
        same: of these, texts on which all of them agree.
        agreement: Krippendorff's alpha; None if too few texts are shared, or all have the same label.
    """

    texts: int
    labels: dict[str, int]
    shared: int
    same: int
    agreement: Estimate | None


def annotators(store: Database, model: str) -> Annotators:
    """Of a model's texts. Of each person the last label of a text counts; equal texts are one.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    said, made = FEEDBACK.c, PREDICTIONS.c
    query = (
        sql.select(made.text_hash, said.annotator, said.source, said.correct)
        .select_from(JOINED)
        .where(*judged_of(model), said.state.in_((LATEST, SUPERSEDED)))
        .order_by(said.labelled_ms.desc(), said.id.desc())
        .limit(MOST_LABELS)
    )
    by_text: dict[str, dict[str, str]] = {}
    with store.reading() as connection:
        for text_hash, annotator, source, correct in connection.execute(query):
            by_text.setdefault(text_hash, {}).setdefault(annotator or source, correct)
    shared = [[*given.values()] for given in by_text.values() if len(given) > 1]
    return Annotators(
        texts=len(by_text),
        labels=dict(Counter(name for given in by_text.values() for name in given).most_common()),
        shared=len(shared),
        same=sum(len(set(given)) == 1 for given in shared),
        agreement=alpha(shared),
    )
