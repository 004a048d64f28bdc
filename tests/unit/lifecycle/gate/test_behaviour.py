from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import DataError
from bertline.lifecycle.gate.behaviour import STARTERS, Direction, Invariance, Minimum, behaves, passes, read_cases
from bertline.tasks.classify.answer import Prediction
from bertline.tasks.classify.spec import Spec
from bertline.tasks.fill.spec import Spec as Fills
from bertline.tasks.tag.spec import Spec as Tags

LABELS = ("negative", "positive")
SPEC = Spec(labels=LABELS)
PAIRS = Spec(labels=("no", "yes"), reads="pair")


class ByWord:
    """Praise where a text has a word of praise."""

    spec = SPEC

    def __init__(self, words: Mapping[str, float]) -> None:
        self.words = words

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        answers = []
        for text in texts:
            share = max((value for word, value in self.words.items() if word in text), default=0.3)
            label = LABELS[share > 0.5]
            answers.append(Prediction(label, {"negative": 1 - share, "positive": share}, read_tokens=3, cut_tokens=0))
        return answers


GOOD: Any = ByWord({"good": 0.9, "fine": 0.7})
CASES: list[dict[str, object]] = [
    {"kind": "minimum", "name": "praise", "text": "a good film", "label": "positive"},
    {"kind": "minimum", "name": "negation", "text": "not a good film", "label": "negative"},
    {"kind": "invariance", "name": "names", "texts": ["Ann is good", "Bob is good", "Cem is good"]},
    {"kind": "invariance", "name": "names", "texts": ["a good film", "a goood film"]},
    {
        "kind": "direction",
        "name": "added",
        "text": "a film",
        "changed": "a fine film",
        "label": "positive",
        "moves": "up",
    },
    {
        "kind": "direction",
        "name": "added",
        "text": "a good film",
        "changed": "a film",
        "label": "positive",
        "moves": "up",
    },
]


def write(path: Path, cases: Sequence[object]) -> str:
    path.write_text("".join(json.dumps(one) + "\n\n" for one in cases), encoding="utf-8")
    return str(path)


def test_the_three_kinds(tmp_path: Path) -> None:
    found = read_cases(write(tmp_path / "cases.jsonl", CASES), SPEC)
    assert [type(one) for one in found.cases] == [Minimum, Minimum, Invariance, Invariance, Direction, Direction]
    assert passes(found, GOOD) == [True, False, True, False, True, False]


def test_a_check_names_what_failed(tmp_path: Path) -> None:
    found = read_cases(write(tmp_path / "cases.jsonl", CASES), SPEC)
    check = behaves(found, GOOD, None)
    assert check.decision == "yes"
    assert check.sentence == "3 of 6 cases pass; failed: negation, names, added"
    assert check.figures["by_name"] == {"praise": [1, 1], "negation": [0, 1], "names": [1, 2], "added": [1, 2]}
    assert check.figures["failed"][0] == CASES[1]


def test_a_model_that_fails_surely_more_than_the_champion(tmp_path: Path) -> None:
    many = [{"kind": "minimum", "name": "praise", "text": f"a good film {i}", "label": "positive"} for i in range(12)]
    found = read_cases(write(tmp_path / "cases.jsonl", many), SPEC)
    deaf: Any = ByWord({})
    assert behaves(found, deaf, GOOD).decision == "no"
    assert behaves(found, GOOD, deaf).decision == "yes"
    few = read_cases(write(tmp_path / "few.jsonl", many[:3]), SPEC)
    assert behaves(few, deaf, GOOD).decision == "yes"  # three cases are no proof
    assert behaves(few, deaf, None).decision == "no"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
        ('{"kind": "maximum", "name": "a"}', "Input tag 'maximum' found using 'kind' does not match any of"),
        ('{"kind": "minimum", "name": "a", "text": "b"}', "label: Field required"),
        ('{"kind": "invariance", "name": "a", "texts": ["b"]}', "texts: Tuple should have at least 2 items"),
    ],
)
def test_a_line_that_is_no_case(line: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(CASES[0]) + "\n" + line + "\n")
    with pytest.raises(DataError) as raised:
        read_cases(str(path), SPEC)
    assert str(raised.value).startswith(f"{path} line 2 is no behaviour ({fault}")
    assert str(raised.value).endswith("): write one of the kinds minimum, invariance and direction")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\): give a file of JSON lines"):
        read_cases(str(tmp_path / "none.jsonl"), SPEC)
    with pytest.raises(DataError, match="have no case"):
        read_cases(write(tmp_path / "empty.jsonl", []), SPEC)
    with pytest.raises(DataError, match="case 1 has the label 'positive', and the model's are bad, good: write cases"):
        read_cases(write(tmp_path / "cases.jsonl", CASES), Spec(labels=("bad", "good")))


@pytest.mark.parametrize(
    ("spec", "case", "fault"),
    [
        (PAIRS, {"kind": "invariance", "name": "a", "texts": ["b", "c"]}, "has a single text, and the model reads two"),
        (SPEC, {"kind": "invariance", "name": "a", "texts": [["b", "c"], ["b", "d"]]}, "has a list of texts, and the "),
        (Tags(types=("place",)), {**CASES[0]}, "has the label 'positive', and the model gives no labels: write cases "),
        (Fills(), {**CASES[2]}, "is for a classifier, a tagger or a ranker, and the model's task is fill: leave the"),
    ],
)
def test_cases_for_another_kind_of_model(spec: Any, case: dict[str, object], fault: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=fault):
        read_cases(write(tmp_path / "cases.jsonl", [case]), spec)


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_set_is_whole(name: str) -> None:
    found = read_cases(name, SPEC)
    assert len(found.cases) >= 40
    assert {type(one) for one in found.cases} == {Minimum, Invariance, Direction}
    assert len({one.name for one in found.cases}) >= 10
