from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.figures import Counts, counts, counts_of_all, labelled_since
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from tests.kept import HOUR_MS, NEW, OLD, keep, sure


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def test_versions_are_counted_apart_and_by_the_time_of_the_prediction(store: Database) -> None:
    now = now_ms()
    keep(store, [sure("good")] * 3, request="old", digest=OLD, at_ms=now - 9 * HOUR_MS)
    keep(store, [sure("good")] * 2, request="new", digest=NEW)
    keep(store, [sure("good")], request="else", model="other")
    said = [Feedback(f"old{n}", "good") for n in range(3)] + [Feedback("new0", "bad"), Feedback("else0", "bad")]
    receive(store, said)
    assert counts(store, "reviews") == {OLD: Counts(right=3), NEW: Counts(wrong=1)}
    assert counts(store, "reviews", since=moment(now - 2 * HOUR_MS)) == {NEW: Counts(wrong=1)}
    assert counts(store, "reviews", until=moment(now - 2 * HOUR_MS)) == {OLD: Counts(right=3)}
    every = {("reviews", OLD): Counts(right=3), ("reviews", NEW): Counts(wrong=1), ("other", NEW): Counts(wrong=1)}
    assert counts_of_all(store) == every


def test_labelled_rows_are_counted_by_the_time_of_the_feedback(store: Database) -> None:
    keep(store, [sure("good")] * 2, texts=["a fine film", "a dull film"])
    keep(store, [sure("good")], request="without")
    began = moment(now_ms() - 1000)
    receive(store, [Feedback("r0", "good"), Feedback("r1", "bad"), Feedback("r1", "good"), Feedback("without0", "bad")])
    assert labelled_since(store, "reviews") == labelled_since(store, "reviews", began) == 2
    assert labelled_since(store, "reviews", with_text=False) == 3
    assert labelled_since(store, "reviews", moment(now_ms() + HOUR_MS)) == 0


def test_accuracy_has_the_interval_of_wilson() -> None:
    found = Counts(right=81, wrong=9, unjudged=5).accuracy
    assert (found.value, found.low, found.high) == pytest.approx((0.9, 0.8209, 0.9463), abs=1e-3)
