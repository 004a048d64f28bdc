"""What a bundle says about a tagger, and the targets of a table's texts."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bertline.data.entities import Entity
from bertline.errors import DataError
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.spec import Spec
from bertline.text.truncation import Truncation
from tests.unit.tasks.tag.texts import read


def test_the_types_are_those_of_the_table() -> None:
    spec = Spec.of("t.jsonl", [[Entity(0, 1, "b")], [], [Entity(0, 1, "a"), Entity(2, 3, "b")]], scheme="BIOES")
    assert spec.types == ("a", "b")
    assert spec.labels == ("O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b")
    assert spec.output == "tags"
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


def test_a_table_without_entities_teaches_nothing() -> None:
    with pytest.raises(DataError, match=r"^t\.jsonl has no entities: give texts of which some have entities$"):
        Spec.of("t.jsonl", [[], []])


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
def test_a_spec_that_makes_no_sense_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Spec.model_validate(content)


def test_special_tokens_and_further_pieces_have_no_target() -> None:
    text, spec = "Llanfair is far", Spec(types=("x",))
    reading = read(text)
    [targets] = spec.targets([Entity(0, 8, "x")], reading)
    pieces = len(reading.piece.ids) - 4
    assert pieces > 1
    assert targets.tolist() == [UNLABELLED, 1, *[UNLABELLED] * (pieces - 1), 0, 0, UNLABELLED]


def test_windows_have_the_targets_of_the_whole_text() -> None:
    text, spec = "a b c d e f g", Spec(types=("x",))
    reading = read(text, Truncation(6, "window"))
    targets = spec.targets([Entity(4, 9, "x")], reading)
    u = UNLABELLED
    assert [one.tolist() for one in targets] == [[u, 0, 0, 1, 2, u], [u, 2, 2, 0, 0, u]]


def test_what_is_not_read_has_no_target() -> None:
    text, spec = "a b c d e f g", Spec(types=("x",))
    [targets] = spec.targets([Entity(0, 5, "x"), Entity(8, 13, "x")], read(text, Truncation(6, "head_tail")))
    u = UNLABELLED
    assert targets.tolist() == [u, 1, 1, 2, 2, u]
