from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.verdicts import verdicts
from bertline.tasks.classify.spec import Spec
from tests.kept import NEW, OLD, keep, sure

BEGAN_MS = 1_800_000_000_000


@pytest.mark.parametrize("seed", range(2))
def test_verdicts_are_in_the_order_of_predictions_however_feedback_came(store: Database, seed: int) -> None:
    records = keep(store, [sure("good")] * 30, at_ms=BEGAN_MS)
    items = [Feedback(f"r{n}", "good" if n % 3 else "bad", labelled_ms=5) for n in range(29)]
    random.Random(seed).shuffle(items)
    receive(store, [Feedback("r4", "bad", labelled_ms=4), *items[:9]])  # a correction, and what comes late
    receive(store, items[9:])
    found = verdicts(store, "reviews", NEW, most=100)
    assert found.ids == [one.id for one in records[:29]]
    assert found.right == [bool(n % 3) for n in range(29)]
    assert found.made(1) == datetime.fromtimestamp(BEGAN_MS / 1000 + 0.001, UTC)
    assert verdicts(store, "reviews", NEW, most=2).ids == [records[27].id, records[28].id]
    moment = datetime.fromtimestamp(BEGAN_MS / 1000 + 0.01, UTC)
    assert len(verdicts(store, "reviews", NEW, (moment, None), most=100).ids) == 19
    assert len(verdicts(store, "reviews", NEW, (None, moment), most=100).ids) == 10


def test_other_versions_shadows_reviews_and_numbers_do_not_count(store: Database) -> None:
    keep(store, [sure("good")], request="old", digest=OLD)
    keep(store, [sure("good")], request="shadow", role="shadow")
    keep(store, [sure("good")], request="reviewed")
    keep(store, [sure("good")], request="own")
    keep(store, [{"number": 2.0}], request="number", spec=Spec(labels=("stars",), problem="number"), model="stars")
    receive(store, [Feedback(f"{one}0", "good") for one in ("old", "shadow", "own")])
    receive(store, [Feedback("reviewed0", "bad", source="review"), Feedback("number0", 3)])
    found = verdicts(store, "reviews", NEW, most=10)
    assert (len(found.ids), found.right, found.reviewed) == (1, [True], 1)
    assert verdicts(store, "stars", NEW, most=10).ids == []
