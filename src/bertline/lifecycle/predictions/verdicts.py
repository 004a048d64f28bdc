"""Whether the answers of one version were right, in the order in which it gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.figures import JOINED, judged_of
from bertline.lifecycle.predictions.kept import ALWAYS, Span
from bertline.lifecycle.predictions.records import REVIEW, first_id, ms_of
from bertline.lifecycle.predictions.schema import FEEDBACK, LATEST, PREDICTIONS

_TIME = 12  # first digits of an id


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What feedback says of predictions.

    Attributes:
        ids: of the predictions, the oldest first.
        right: whether each answer was right.
        reviewed: number of others that were labelled because their answers may be wrong.
    """

    ids: Sequence[str]
    right: Sequence[bool]
    reviewed: int

    def made(self, place: int) -> datetime:
        """When the prediction at a place was made."""
        return datetime.fromtimestamp(int(self.ids[place][:_TIME], 16) / 1000, UTC)


def verdicts(store: Database, model: str, digest: str, span: Span = ALWAYS, *, most: int) -> Verdicts:
    """The latest predictions of a version that feedback calls right or wrong.

    Their order is that of the predictions, whenever and in whatever order their feedback came. Feedback from the review
    of texts is left out: it was asked for where an answer looked wrong, so it would make any model look worse.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        digest: of the version's bundle.
        span: when the predictions were made.
        most: number of predictions, the latest.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    since, until = span
    said = FEEDBACK.c
    mine = [*judged_of(model, since), PREDICTIONS.c.digest == digest, said.state == LATEST, said.right.is_not(None)]
    if until is not None:
        mine.append(said.prediction < first_id(ms_of(until)))
    latest = sql.select(said.prediction, said.right).select_from(JOINED).where(*mine, said.source != REVIEW)
    reviewed = sql.select(sql.func.count()).select_from(JOINED).where(*mine, said.source == REVIEW)
    with store.reading() as connection:
        rows = connection.execute(latest.order_by(said.prediction.desc()).limit(most)).all()[::-1]
        number = int(connection.scalar(reviewed) or 0)
    return Verdicts([one for one, _ in rows], [right for _, right in rows], number)
