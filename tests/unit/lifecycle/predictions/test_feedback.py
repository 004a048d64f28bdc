from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import adopt, receive
from bertline.lifecycle.predictions.figures import Counts, counts
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.schema import FEEDBACK, INVALID, WAITING
from tests.kept import HOUR_MS, NEW, keep, sure


def statuses(store: Database, *items: Feedback, **options: Any) -> list[str]:
    return [one.status for one in receive(store, items, **options)]


def states(store: Database) -> list[str]:
    with store.reading() as connection:
        return sorted(connection.scalars(sql.select(FEEDBACK.c.state)))


def test_the_first_feedback_says_whether_the_version_was_right(store: Database) -> None:
    keep(store, [sure("good"), sure("bad")])
    first, second = receive(store, [Feedback("r0", "good"), Feedback("r1", " good ")], client="ana")
    assert (first.status, first.right, first.model, first.digest) == ("counted", True, "reviews", NEW)
    assert (second.status, second.right) == ("counted", False)
    assert first.age_s == pytest.approx(3600, abs=60)
    assert counts(store, "reviews") == {NEW: Counts(right=1, wrong=1)}


def test_the_same_again_changes_nothing(store: Database) -> None:
    keep(store, [sure("good")])
    said = Feedback("r0", "bad", source="app", annotator="ana")
    assert statuses(store, said, said) == ["counted", "duplicate"]
    assert statuses(store, said) == ["duplicate"]
    assert statuses(store, Feedback("r0", "bad", source="app", annotator="ben")) == ["counted"]  # another person
    assert counts(store, "reviews") == {NEW: Counts(wrong=1)}


def test_a_contradiction_counts_from_then_on_and_is_told(store: Database) -> None:
    keep(store, [sure("good")])
    assert statuses(store, Feedback("r0", "bad"), Feedback("r0", "good")) == ["counted", "corrected"]
    assert counts(store, "reviews") == {NEW: Counts(right=1)}
    assert statuses(store, Feedback("r0", "bad")) == ["corrected"]  # and back: what was said last counts
    assert counts(store, "reviews") == {NEW: Counts(wrong=1)}
    assert states(store) == ["latest", "superseded", "superseded"]


def test_late_feedback_that_was_given_earlier_does_not_replace_a_later_one(store: Database) -> None:
    keep(store, [sure("good")])
    now = now_ms()
    newer, older = Feedback("r0", "good", labelled_ms=now - 5), Feedback("r0", "bad", labelled_ms=now - 500)
    found = receive(store, [newer, older])
    assert [one.status for one in found] == ["counted", "superseded"]
    assert found[1].message == "it contradicts later feedback, which still counts"
    assert counts(store, "reviews") == {NEW: Counts(right=1)}


def test_shuffled_feedback_with_times_ends_in_the_same_counts(store: Database) -> None:
    keep(store, [sure("good")] * 8)
    draw, now = random.Random(7), now_ms()
    items = [
        Feedback(f"r{n}", draw.choice(["bad", "good"]), annotator=f"a{k % 2}", labelled_ms=now - 100 * k - n)
        for n in range(8)
        for k in range(4)
    ]
    truth = sum(next(one for one in items if one.request_id == f"r{n}").correct == "good" for n in range(8))
    draw.shuffle(items)
    receive(store, items)
    assert counts(store, "reviews") == {NEW: Counts(right=truth, wrong=8 - truth)}
    assert set(statuses(store, *items)) == {"duplicate"}


def test_a_time_in_the_future_is_no_later_than_now(store: Database) -> None:
    keep(store, [sure("good")])
    assert statuses(store, Feedback("r0", "bad", labelled_ms=now_ms() + HOUR_MS)) == ["counted"]
    assert statuses(store, Feedback("r0", "good")) == ["corrected"]


def test_what_the_model_cannot_answer_is_told_and_not_kept(store: Database) -> None:
    keep(store, [sure("good")])
    [found] = receive(store, [Feedback("r0", "goood")])
    assert found.status == "invalid"
    assert found.message == "the correct answer is not a label of the model: give one of bad, good"
    assert states(store) == []


def test_feedback_waits_for_its_prediction(store: Database) -> None:
    [found] = receive(store, [Feedback("r0", "good")], client="ana")
    assert (found.status, found.digest) == ("unknown", None)
    assert found.message == "there is no such prediction (yet); kept for 7 days"
    assert statuses(store, Feedback("r0", "good"), Feedback("r1", "odd")) == ["unknown", "unknown"]
    assert states(store) == [WAITING, WAITING]
    assert adopt(store) == 0
    keep(store, [sure("good"), sure("good")])
    assert adopt(store) == 2
    assert counts(store, "reviews") == {NEW: Counts(right=1)}
    assert states(store) == [INVALID, "latest"]


def test_of_two_answers_with_one_request_id_the_later_is_meant(store: Database) -> None:
    keep(store, [sure("bad")], at_ms=now_ms() - 2 * HOUR_MS)
    keep(store, [sure("good")])
    assert [one.right for one in receive(store, [Feedback("r0", "good")])] == [True]


def test_a_shadow_gets_no_feedback(store: Database) -> None:
    keep(store, [sure("bad")], role="shadow")
    assert statuses(store, Feedback("r0", "good")) == ["unknown"]
    assert adopt(store) == 0
