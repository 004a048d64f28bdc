from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline import tasks
from bertline.bundle.reference import ReferenceRows, write_reference
from bertline.bundle.seen import write_seen
from bertline.data.entities import Entity
from bertline.data.examples import Example, read_examples
from bertline.errors import DataError
from bertline.lifecycle.retraining.corpus import LEAST_FRESH, Corpus, collect, contradictions
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.lifecycle.retraining.snapshot import take
from bertline.tasks.contract import TaskSpec

CLASSIFY = tasks.read_spec({"task": "classify", "labels": ["bad", "good"]})


def table(path: Path, header: tuple[str, ...], *rows: tuple[object, ...]) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(path)


@pytest.fixture
def champion(tmp_path: Path) -> Path:
    folder = tmp_path / "champion"
    folder.mkdir()
    write_seen(folder, ["Seen one.", "seen two"])
    write_reference(folder, "test", ReferenceRows(("held out",), ("good",)))
    return folder


def texts(corpus: Corpus) -> list[str]:
    return [one.text for one in corpus.examples]


def test_rows_that_judge_or_were_held_out_are_not_trained_on(champion: Path, tmp_path: Path) -> None:
    header = ("review", "label")
    data = table(
        tmp_path / "a.csv", header, ("seen one", "good"), ("Held out!", "good"), ("frozen", "bad"), ("n", "bad")
    )
    frozen = table(tmp_path / "f.csv", header, ("FROZEN", "bad"), ("seen two", "good"))
    corpus = collect(champion, CLASSIFY, RetrainSettings(data=(data,), frozen=(frozen,)))
    assert texts(corpus) == ["seen one", "n"]
    assert corpus.left_out == {"held out by the champion": 1, "frozen": 1, "replaced by later rows": 0}
    assert (corpus.added, corpus.new_rows, corpus.learned) == (1, 1, 1)
    assert corpus.fresh is None


def test_a_later_row_replaces_an_earlier_one_with_the_same_text(champion: Path, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", ("text", "label"), ("A text", "good"), ("other", "bad"), ("other", "bad"))
    later = table(tmp_path / "b.csv", ("comment", "sentiment"), ("a text.", "bad"))
    corpus = collect(champion, CLASSIFY, RetrainSettings(data=(first, later)))
    assert [(one.text, one.target) for one in corpus.examples] == [
        ("other", "bad"),
        ("other", "bad"),
        ("a text.", "bad"),
    ]
    assert corpus.left_out["replaced by later rows"] == 1


def test_a_share_of_the_feedback_judges_and_is_the_same_share_again(champion: Path, tmp_path: Path) -> None:
    rows = [{"text": f"production text {i}", "label": "good", "request_id": str(i)} for i in range(1000)]
    feedback = tmp_path / "feedback.jsonl"
    feedback.write_text("".join(json.dumps(one) + "\n" for one in rows))
    settings = RetrainSettings(fresh_ratio=0.3)
    corpus = collect(champion, CLASSIFY, settings, feedback)
    assert corpus.fresh is not None
    chosen = {one.text for one in corpus.fresh.examples}
    assert 240 < len(chosen) < 360  # 4 standard deviations
    assert chosen.isdisjoint(texts(corpus))
    feedback.write_text("".join(json.dumps(one) + "\n" for one in reversed(rows[:800])))
    again = collect(champion, CLASSIFY, settings, feedback)
    assert again.fresh is not None
    assert {one.text for one in again.fresh.examples} == chosen & {str(one["text"]) for one in rows[:800]}


def test_too_little_feedback_to_judge_is_trained_on(champion: Path, tmp_path: Path) -> None:
    feedback = tmp_path / "feedback.jsonl"
    rows = [{"text": f"text {i}", "label": "good"} for i in range(LEAST_FRESH - 1)]
    feedback.write_text("".join(json.dumps(one) + "\n" for one in rows))
    corpus = collect(champion, CLASSIFY, RetrainSettings(fresh_ratio=0.99), feedback)
    assert corpus.fresh is None
    assert len(corpus.examples) == LEAST_FRESH - 1


def test_feedback_that_the_champion_learned_from_does_not_judge(champion: Path, tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": "good"} for i in range(400)]
    write_seen(champion, [str(one["text"]) for one in rows[:200]])
    feedback = tmp_path / "feedback.jsonl"
    feedback.write_text("".join(json.dumps(one) + "\n" for one in rows))
    corpus = collect(champion, CLASSIFY, RetrainSettings(fresh_ratio=0.99), feedback)
    assert corpus.fresh is not None
    assert all(int(one.text.split()[1]) >= 200 for one in corpus.fresh.examples)


def test_a_bundle_that_does_not_say_what_it_has_seen(tmp_path: Path) -> None:
    data = table(tmp_path / "a.csv", ("text", "label"), ("a", "good"), ("b", "bad"))
    corpus = collect(tmp_path, CLASSIFY, RetrainSettings(data=(data,)))
    assert (corpus.added, corpus.learned, len(corpus.examples), corpus.new_rows) == (None, None, 2, 2)


SEVERAL = tasks.read_spec({"task": "classify", "problem": "several", "labels": ["a", "b"]})
NUMBER = tasks.read_spec({"task": "classify", "problem": "number", "labels": ["n"]})
TAG = tasks.read_spec({"task": "tag", "types": ["x"]})
RANK = tasks.read_spec({"task": "rank"})
EMBED = tasks.read_spec({"task": "embed"})
SPAN = '[{"start": 0, "end": 2, "label": "x"}]'
KINDS: dict[str, tuple[TaskSpec, tuple[str, ...], list[tuple[object, ...]], list[Any]]] = {
    "several": (SEVERAL, ("text", "a", "b"), [("t", 1, 1), ("u", 0, 0)], [("a", "b"), ()]),
    "number": (NUMBER, ("text", "label"), [("t", 1.5), ("u", -2)], [1.5, -2.0]),
    "tag": (TAG, ("sentence", "spans"), [("um it", SPAN), ("is", "[]")], [(Entity(0, 2, "x"),), ()]),
    "rank": (RANK, ("question", "passage", "grade"), [("q", "t", 1), ("q", "u", 0)], [1.0, 0.0]),
    "embed, pairs": (EMBED, ("anchor", "positive"), [("t", "u"), ("v", "w")], [(), ()]),
    "embed, triplets": (EMBED, ("anchor", "positive", "negative"), [("t", "u", "x"), ("v", "w", "y")], [(), ()]),
    "embed, scores": (EMBED, ("sentence1", "sentence2", "score"), [("t", "u", 4), ("v", "w", 1)], [4.0, 1.0]),
    "embed, labels": (EMBED, ("text", "label"), [("t", "k"), ("u", "l")], ["k", "l"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_task_come_back_from_a_snapshot_as_they_were(kind: str, tmp_path: Path) -> None:
    spec, header, rows, targets = KINDS[kind]
    data = table(tmp_path / "a.csv", header, *rows)
    corpus = collect(tmp_path, spec, RetrainSettings(data=(data,)))
    taken = take(corpus, tmp_path / "snapshots")
    columns = RetrainSettings(**taken.facts["columns"])
    back = read_examples(str(taken.rows), columns, kind=spec.kind, pairs=spec.pairs, trainable=False)
    assert [(one.input, one.target) for one in back.examples] == [
        (one.input, target) for one, target in zip(corpus.examples, targets, strict=True)
    ]


def test_tables_with_other_kinds_of_columns_are_refused(tmp_path: Path) -> None:
    pairs = table(tmp_path / "pairs.csv", ("anchor", "positive"), ("t", "u"))
    scores = table(tmp_path / "scores.csv", ("sentence1", "sentence2", "score"), ("v", "w", 3))
    corpus = collect(tmp_path, EMBED, RetrainSettings(data=(pairs, scores)))
    with pytest.raises(DataError) as raised:
        take(corpus, tmp_path / "snapshots")
    assert str(raised.value) == (
        "pairs.csv and scores.csv cannot be trained on together, because only one has the score column: give tables "
        "with the same kinds of columns"
    )


def test_a_query_that_judges_is_not_trained_on_with_any_text(tmp_path: Path) -> None:
    header = ("query", "text", "score")
    data = table(tmp_path / "a.csv", header, ("q", "t", 1), ("Q", "other", 0), ("r", "t", 1))
    frozen = table(tmp_path / "f.csv", header, ("q", "third", 1))
    corpus = collect(tmp_path, RANK, RetrainSettings(data=(data,), frozen=(frozen,)))
    assert texts(corpus) == ["r"]


def test_texts_with_different_labels_are_counted() -> None:
    rows = [Example(1, "A text", "good"), Example(2, "a text!", "bad"), Example(3, "b", "bad"), Example(4, "b", "bad")]
    assert contradictions(rows) == 1
    assert np.isclose(contradictions([]), 0)
