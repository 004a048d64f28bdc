from __future__ import annotations

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.figures import Counts, counts
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.withdrawn import withdraw
from tests.kept import NEW, keep, sure


def taken_back(store: Database, annotator: str = "ana", client: str | None = None) -> bool:
    return withdraw(store, "r0", 0, source="page", annotator=annotator, client=client)


def test_what_was_said_before_counts_again(store: Database) -> None:
    keep(store, [sure("good")])
    receive(store, [Feedback("r0", "good", source="page", annotator="ana")])
    receive(store, [Feedback("r0", "bad", source="page", annotator="bo")])
    assert counts(store, "reviews") == {NEW: Counts(wrong=1)}
    assert taken_back(store, "bo")
    assert counts(store, "reviews") == {NEW: Counts(right=1)}
    assert taken_back(store)
    assert counts(store, "reviews") == {}
    assert not taken_back(store)
    [again] = receive(store, [Feedback("r0", "bad", source="page", annotator="ana")])
    assert again.status == "counted"


def test_an_earlier_label_goes_without_touching_the_one_that_counts(store: Database) -> None:
    keep(store, [sure("good")])
    receive(store, [Feedback("r0", "good", source="page", annotator="ana")])
    receive(store, [Feedback("r0", "bad", source="page", annotator="bo")])
    assert taken_back(store)
    assert counts(store, "reviews") == {NEW: Counts(wrong=1)}


def test_nobody_takes_back_what_another_client_sent(store: Database) -> None:
    keep(store, [sure("good")])
    receive(store, [Feedback("r0", "good", source="page", annotator="ana")], client="desk")
    assert not taken_back(store)
    assert not taken_back(store, client="other")
    assert taken_back(store, client="desk")
