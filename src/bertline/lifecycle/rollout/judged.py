"""Wrong answers of both versions of a rollout, from the feedback in the store of predictions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bertline.database.database import Database
from bertline.lifecycle.predictions.figures import Counts, counts
from bertline.lifecycle.rollout.decision import Judged
from bertline.registry.rollout import Rollout
from bertline.statistics.anytime import Rate

AT_MOST = 0.05  # of the time is spent counting
PAST = timedelta(days=30)  # of the champion's feedback that counts while its successor is watched


def judge_of(store: Database, clock: Callable[[], float] = time.monotonic) -> Callable[[str, Rollout], Judged]:
    """What counts the feedback on a model, by its name for clients, in the current step of a rollout.

    It is asked every few seconds. Where counting takes long, the last counts are the answer in between.

    Args:
        store: of predictions (``lifecycle.predictions.store.open_store``).
        clock: seconds.
    """
    last: dict[str, tuple[tuple[int, int], float, Judged]] = {}

    def judge(name: str, rollout: Rollout) -> Judged:
        step, began_s = (rollout.number, rollout.place), clock()
        if name in last and last[name][0] == step and began_s < last[name][1]:
            return last[name][2]
        judged = counted(name, rollout)
        last[name] = step, began_s + (clock() - began_s) / AT_MOST, judged
        return judged

    def counted(name: str, rollout: Rollout) -> Judged:
        since = datetime.fromtimestamp(rollout.since_s, UTC)
        now = counts(store, name, since=since)
        past = counts(store, name, since=since - PAST) if rollout.role == "watch" else now
        old, new = past.get(rollout.champion_digest or "", Counts()), now.get(rollout.challenger_digest, Counts())
        return Judged(*(Rate(one.right + one.wrong, one.wrong) for one in (old, new)))

    return judge
