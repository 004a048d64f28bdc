from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.retraining.labelled import StoredFeedback
from tests.kept import keep, store_in, sure


def say(store: Database, request: str, correct: str) -> None:
    (outcome,) = receive(store, [Feedback(request_id=request, correct=correct)])
    assert outcome.status == "counted"


def test_feedback_with_texts_is_a_table_to_train_on(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good"), sure("bad")], model="films", texts=["fine", "poor"])
        feedback = StoredFeedback(f"sqlite:///{tmp_path / 'predictions.db'}", "films")
        assert feedback.export(tmp_path / "rows.jsonl") == 0
        assert not (tmp_path / "rows.jsonl").exists()
        say(store, "r1", "good")
    assert feedback.export(tmp_path / "rows.jsonl") == 1
    (row,) = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert (row["text"], row["label"]) == ("poor", "good")


def test_feedback_without_texts_says_what_to_do(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")], model="films")
        say(store, "r0", "bad")
    with pytest.raises(DataError, match="1 labelled predictions of films have no text that can be used: serve with"):
        StoredFeedback(f"sqlite:///{tmp_path / 'predictions.db'}", "films").export(tmp_path / "rows.jsonl")
