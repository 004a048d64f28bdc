from __future__ import annotations

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.figures import models, states
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.judged import live
from bertline.tasks.classify.spec import Spec
from tests.kept import NEW, OLD, keep, sure


def test_each_version_has_its_accuracy_and_slices(store: Database) -> None:
    keep(store, [sure("good")] * 10, request="old", digest=OLD)
    keep(store, [sure("good")] * 6 + [sure("bad")] * 4, request="new", client="shop")
    receive(store, [Feedback(f"old{n}", "good", source="app") for n in range(10)])
    receive(store, [Feedback(f"new{n}", "good", source="app" if n < 5 else "desk") for n in range(10)])
    old, new = live(store, "reviews")
    assert (old.digest, old.rows, old.slices) == (OLD, 10, {})
    assert old.accuracy is not None
    assert new.accuracy is not None
    assert (old.accuracy.value, new.accuracy.value) == (1.0, 0.6)
    assert (new.accuracy.low, new.accuracy.high) == pytest.approx((0.3127, 0.8318), abs=1e-3)
    assert new.digest == NEW
    assert {one.name: (one.rows, one.estimate.value) for one in new.slices["given label"]} == {
        "good": (6, 1.0),
        "bad": (4, 0.0),
    }
    assert {one.name: (one.rows, one.estimate.value) for one in new.slices["source"]} == {
        "app": (5, 1),
        "desk": (5, 0.2),
    }
    assert set(new.to_json()) == {"digest", "rows", "accuracy", "off", "slices"}


def test_numbers_have_a_distance_and_no_accuracy(store: Database) -> None:
    spec = Spec(labels=("stars",), problem="number")
    keep(store, [{"number": value} for value in (1.0, 2.0, 3.0)], spec=spec)
    receive(store, [Feedback(f"r{n}", 2) for n in range(3)])
    [found] = live(store, "reviews")
    assert found.accuracy is None
    assert found.off is not None
    assert found.off.value == pytest.approx(2 / 3)


def test_what_there_is_is_counted_by_state(store: Database) -> None:
    keep(store, [sure("good")] * 3, texts=["a"] * 3)
    keep(store, [sure("good")], request="r", digest=OLD, role="shadow")
    receive(store, [Feedback("r0", "good"), Feedback("r0", "bad"), Feedback("nobody", "bad")])
    found = states(store, "reviews")
    assert (found.predictions, found.shadows, found.with_text) == (3, 1, 3)
    assert found.feedback == {"latest": 1, "superseded": 1, "waiting": 1}
    assert models(store) == ["reviews"]
