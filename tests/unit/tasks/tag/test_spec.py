"""What a bundle says about a tagger, and the targets of a table's texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bertline.data.entities import Entity
from bertline.data.examples import read_examples
from bertline.data.settings import TaskSettings
from bertline.errors import SettingsError
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.spec import Spec
from bertline.text.truncation import Truncation
from tests.unit.tasks.tag.texts import read


def test_the_types_come_from_the_table(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "b", "spans": [[0, 1, "b"]]}\n{"text": "a b", "spans": [[0, 1, "a"], [2, 3, "b"]]}\n')
    settings = TaskSettings(scheme="BIOES")
    spec = Spec.of(read_examples(path, kind=Spec.kind_to_learn(settings)), settings)
    assert spec.types == ("a", "b")
    assert spec.labels == ("O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b")
    assert spec.output == "tags"
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


def test_pairs_of_texts_have_no_entities() -> None:
    with pytest.raises(SettingsError, match="text_pair_column is set, but tag reads single texts"):
        Spec.kind_to_learn(TaskSettings(text_pair_column="b"))


def test_an_entity_that_is_not_whole_words_is_noted() -> None:
    spec, readings = Spec(types=("x",)), [read("unhappily so"), read("so so")]
    assert spec.notes([(Entity(2, 7, "x"),), (Entity(0, 2, "x"),)], readings) == [
        (
            "Entities that are not whole words",
            "1 of 2 begin or end inside a word or share one: the model learns other characters, or nothing, for them",
        )
    ]
    assert spec.notes([(), (Entity(0, 2, "x"),)], readings) == []


@pytest.mark.parametrize(
    "content",
    [
        {"types": []},
        {"types": ["a", "a"]},
        {"types": [""]},
        {"types": ["a"], "temperature": 0},
        {"types": ["a"], "more": 1},
    ],
)
def test_a_nonsensical_spec_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Spec.model_validate(content)


def test_special_tokens_and_further_pieces_have_no_target() -> None:
    text, spec = "Llanfair is far", Spec(types=("x",))
    reading = read(text)
    [targets] = spec.arrays((Entity(0, 8, "x"),), reading)
    pieces = len(reading.piece.ids) - 4
    assert pieces > 1
    assert targets.tolist() == [UNLABELLED, 1, *[UNLABELLED] * (pieces - 1), 0, 0, UNLABELLED]


def test_windows_have_the_targets_of_the_whole_text() -> None:
    text, spec = "a b c d e f g", Spec(types=("x",))
    reading = read(text, Truncation(6, "window"))
    targets = spec.arrays((Entity(4, 9, "x"),), reading)
    u = UNLABELLED
    assert [one.tolist() for one in targets] == [[u, 0, 0, 1, 2, u], [u, 2, 2, 0, 0, u]]


def test_unread_tokens_have_no_target() -> None:
    text, spec = "a b c d e f g", Spec(types=("x",))
    [targets] = spec.arrays((Entity(0, 5, "x"), Entity(8, 13, "x")), read(text, Truncation(6, "head_tail")))
    u = UNLABELLED
    assert targets.tolist() == [u, 1, 1, 2, 2, u]
