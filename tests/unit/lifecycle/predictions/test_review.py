from __future__ import annotations

import json

import numpy as np

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.review import disagreements, review, unlike, unsure, wrong_labels
from tests.kept import NEW, OLD, keep, sure


def test_feedback_that_a_sure_model_contradicts_is_suspected(store: Database) -> None:
    draw = np.random.default_rng(3)
    truth = [["bad", "good"][n % 2] for n in range(60)]
    keep(store, [sure(label, round(draw.uniform(0.8, 0.99), 3)) for label in truth], texts=["a film"] * 60)
    said = ["bad" if n == 31 else "good" if n == 40 else label for n, label in enumerate(truth)]
    receive(store, [Feedback(f"r{n}", label) for n, label in enumerate(said)])
    found = wrong_labels(store, "reviews")
    assert {one.request_id for one in found} <= {"r31", "r40"}
    first = found[0]
    assert (first.why, first.answer != first.correct, first.texts) == ("label error", True, ("a film",))
    assert first.score < 0.2


def test_a_few_rows_of_a_label_suspect_nobody(store: Database) -> None:
    keep(store, [sure("good")] * 6 + [sure("bad")])
    receive(store, [Feedback(f"r{n}", "good") for n in range(7)])
    assert wrong_labels(store, "reviews") == []


def test_answers_without_feedback_come_by_their_margin(store: Database) -> None:
    keep(store, [sure("good", 0.9), sure("bad", 0.55), sure("good", 0.7)])
    receive(store, [Feedback("r2", "bad")])
    assert [(one.request_id, round(one.score, 2)) for one in unsure(store, "reviews")] == [("r1", 0.1), ("r0", 0.8)]


def test_a_shadow_that_answers_otherwise_is_a_reason(store: Database) -> None:
    keep(store, [sure("good"), sure("bad", 0.6), sure("good", 0.7)])
    keep(store, [sure("bad"), sure("bad"), sure("bad")], digest=OLD, role="shadow")
    found = disagreements(store, "reviews")
    assert [(one.request_id, one.answer, one.other, one.digest) for one in found] == [
        ("r2", "good", "bad", NEW),
        ("r0", "good", "bad", NEW),
    ]


def test_texts_unlike_the_reference_are_a_reason(store: Database) -> None:
    films = [f"a film with number {place} of a story" for place in range(40)]
    foreign = [f"card payment refused by bank {place}" for place in range(4)]
    doubted = [sure("good", 0.6)] * 2  # so that no foreign text is the least sure, too
    keep(store, [*doubted, *[sure("good")] * 46], texts=[*films, *foreign, *foreign])
    found = unlike(store, "reviews", films)
    assert {one.texts for one in found[:4]} == {(one,) for one in foreign}
    assert {one.why for one in found} == {"foreign"}
    assert len({one.text_hash for one in found}) == len(found)
    assert unlike(store, "reviews", films[:5]) == []
    queue = review(store, "reviews", limit=4, reference=films)
    assert [one.why for one in queue] == ["foreign", "unsure", "foreign", "unsure"]
    assert "foreign" not in {one.why for one in review(store, "reviews", limit=48)}


def test_the_queue_takes_turns_and_names_no_prediction_twice(store: Database) -> None:
    keep(store, [sure("good", 0.6), sure("bad", 0.9)])
    keep(store, [sure("bad")], digest=OLD, role="shadow")
    found = review(store, "reviews", limit=5)
    assert [(one.request_id, one.why) for one in found] == [("r0", "disagreement"), ("r1", "unsure")]
    assert len(review(store, "reviews", limit=1)) == 1
    assert json.loads(json.dumps(found[0].to_json()))["shadow"] == "bad"
