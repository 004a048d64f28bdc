"""Wrong answers of both versions of a rollout, from the feedback in the store of predictions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bertline.database.database import Database
from bertline.lifecycle.predictions.figures import Counts, counts
from bertline.lifecycle.rollout.decision import Judged
from bertline.registry.rollout import Rollout
from bertline.statistics.anytime import Rate

PAST = timedelta(days=30)  # of the champion's feedback that counts while its successor is watched


def judge_of(store: Database) -> Callable[[str, Rollout], Judged]:
    """What counts the feedback on a model, by its name for clients, in the current step of a rollout.

    Args:
        store: of predictions (``lifecycle.predictions.store.open_store``).
    """

    def judge(name: str, rollout: Rollout) -> Judged:
        since = datetime.fromtimestamp(rollout.since_s, UTC)
        now = counts(store, name, since=since)
        past = counts(store, name, since=since - PAST) if rollout.role == "watch" else now
        old, new = past.get(rollout.champion_digest or "", Counts()), now.get(rollout.challenger_digest, Counts())
        return Judged(*(Rate(one.right + one.wrong, one.wrong) for one in (old, new)))

    return judge
