from __future__ import annotations

from bertline.database.database import Database
from bertline.lifecycle.predictions.annotators import Annotators, annotators
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.statistics.intervals import Estimate
from tests.kept import keep, sure


def test_the_last_label_of_each_person_counts_and_equal_texts_are_one(store: Database) -> None:
    texts = [f"text {place % 30}" for place in range(60)]
    keep(store, [sure("good")] * 60, texts=texts)
    right = ["good" if place % 2 else "bad" for place in range(30)]
    receive(store, [Feedback(f"r{place}", "good", annotator="ana") for place in range(30)])
    receive(store, [Feedback(f"r{place}", label, annotator="ana") for place, label in enumerate(right)])
    receive(store, [Feedback(f"r{place + 30}", label, annotator="bo") for place, label in enumerate(right[:25])])
    receive(store, [Feedback("r59", "bad", source="import")])
    found = annotators(store, "reviews")
    assert (found.texts, found.labels) == (30, {"ana": 30, "bo": 25, "import": 1})
    assert (found.shared, found.same) == (26, 25)
    assert isinstance(found.agreement, Estimate)
    assert 0.7 < found.agreement.value < 1


def test_without_labels_there_is_nothing(store: Database) -> None:
    keep(store, [sure("good")])
    assert annotators(store, "reviews") == Annotators(0, {}, 0, 0, None)
