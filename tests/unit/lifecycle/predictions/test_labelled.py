from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bertline.data.examples import read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.labelled import Written, write_labelled
from bertline.lifecycle.predictions.records import text_hash
from bertline.lifecycle.predictions.store import secret_of
from bertline.tasks.classify.spec import Spec as ClassifySpec
from bertline.tasks.tag.spec import Spec as TagSpec
from tests.kept import SPEC, keep, sure


def test_what_leaves_is_a_table_that_train_reads(store: Database, tmp_path: Path) -> None:
    keep(store, [sure("good")] * 3, texts=["a fine film", 'dull, "long"\nand grey', "never judged"])
    receive(store, [Feedback("r0", "good"), Feedback("r1", "good"), Feedback("r1", "bad")])
    out = tmp_path / "labelled.csv"
    assert write_labelled(store, "reviews", out) == Written(rows=2, without_text=0, redacted=0)
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(one["text"], one["label"], one["request_id"]) for one in rows] == [
        ("a fine film", "good", "r0"),
        ('dull, "long"\nand grey', "bad", "r1"),
    ]
    dataset = read_examples(str(out), LabelledTableSettings(), kind=SPEC.kind, trainable=False)
    assert list(dataset.targets) == ["good", "bad"]


def test_texts_of_the_users_own_table_are_joined_by_request_or_by_hash(store: Database, tmp_path: Path) -> None:
    keep(store, [sure("good")] * 3)
    receive(store, [Feedback(f"r{n}", "good") for n in range(3)])
    texts: dict[tuple[str, int] | str, tuple[str, ...]]
    texts = {("r0", 0): ("by request",), text_hash(["text 1 of r"], secret_of(store)): ("by hash",)}
    assert write_labelled(store, "reviews", tmp_path / "a.jsonl", texts=texts) == Written(2, without_text=1, redacted=0)
    assert [line.split('"text": ')[1][:11] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [
        '"by request',
        '"by hash", ',
    ]


def test_entities_of_a_redacted_text_are_left_out_and_counted(store: Database, tmp_path: Path) -> None:
    spec: TagSpec = TagSpec(types=("person",))
    answer: dict[str, list[str]] = {"entities": []}
    keep(store, [answer], spec=spec, texts=["Ann is at [email]"], redacted=True)
    keep(store, [answer], request="whole", spec=spec, texts=["Ann is in York"])
    said = [{"start": 0, "end": 3, "label": "person"}]
    receive(store, [Feedback("r0", said), Feedback("whole0", said)])
    assert write_labelled(store, "reviews", tmp_path / "a.csv") == Written(rows=1, without_text=0, redacted=1)


def test_a_table_without_rows_is_an_error_and_no_file(store: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no feedback on predictions of reviews: check its name and --since"):
        write_labelled(store, "reviews", tmp_path / "a.csv")
    keep(store, [sure("good")])
    receive(store, [Feedback("r0", "good")])
    with pytest.raises(DataError, match="1 labelled predictions of reviews have no text that can be used: serve with"):
        write_labelled(store, "reviews", tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_several_labels_in_csv_are_learned_as_several(store: Database, tmp_path: Path) -> None:
    spec: ClassifySpec = ClassifySpec(problem="several", labels=("late", "lost"))
    answer = {"label": "late", "labels": ["late"], "probabilities": {"late": 0.9, "lost": 0.1}}
    keep(store, [answer] * 2, spec=spec, texts=["where is it", "it is nowhere"])
    receive(store, [Feedback("r0", ["late", "lost"]), Feedback("r1", '["late"]')])
    write_labelled(store, "reviews", tmp_path / "a.csv")
    assert read_examples(str(tmp_path / "a.csv")).targets == [("late", "lost"), ("late",)]
