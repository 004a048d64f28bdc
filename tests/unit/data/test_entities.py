"""Entities of a value: their order, their faults; and what tags of words spell, against seqeval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from bertline.data.entities import Entity, EntityFault, chunks, entities_of, is_tag

TEXT = "Zoë 🎬 met Ada in York"


def test_offsets_count_characters_of_the_raw_text() -> None:
    value = [{"start": 17, "end": 21, "label": "place"}, {"start": 0, "end": 3, "label": "person", "text": "Zoë"}]
    (one, other) = entities_of(value, TEXT)
    assert (TEXT[one.start : one.end], TEXT[other.start : other.end]) == ("Zoë", "York")
    assert other.to_json() == value[0]


@pytest.mark.parametrize("value", [None, "", " ", "[]", "null", []])
def test_no_entities(value: object) -> None:
    assert entities_of(value, TEXT) == ()


@pytest.mark.parametrize("name", ["label", "type", "entity_group", "entity"])
def test_the_type_has_several_names(name: str) -> None:
    assert entities_of([{"start": 0, "end": 3, name: " person "}], TEXT) == (Entity(0, 3, "person"),)


def test_json_in_a_column_of_csv() -> None:
    assert entities_of('[[0, 3, "person"]]', TEXT) == (Entity(0, 3, "person"),)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("person", "not a JSON list of entities"),
        (7, "not a list of entities (it is of type int)"),
        ({"start": 0}, "not a list of entities (it is of type dict)"),
        ([7], "an entity without start, end and label (entity 1)"),
        ([[0, 3]], "an entity without start, end and label (entity 1)"),
        ([[0, 3, "a"], [4.0, 5, "a"]], "an entity whose start is not an integer (entity 2)"),
        ([{"start": 0, "label": "a"}], "an entity whose end is not an integer (entity 1)"),
        ([[True, 3, "a"]], "an entity whose start is not an integer (entity 1)"),
        ([[0, 3, ""]], "an entity without a label (entity 1)"),
        ([[0, 3, ["a"]]], "an entity without a label (entity 1)"),
        ([[0, 22, "a"]], "an entity outside the text (a 0–22 of 21 characters)"),
        ([[3, 3, "a"]], "an entity outside the text (a 3–3 of 21 characters)"),
        ([[-4, -1, "a"]], "an entity outside the text (a -4–-1 of 21 characters)"),
        ([[0, 9, "a"], [8, 10, "b"]], "overlapping entities (a 0–9 and b 8–10)"),
        ([{"start": 1, "end": 4, "label": "a", "text": "Zoë"}], "an entity whose text is not at its offsets"),
    ],
)
def test_faults(value: object, message: str) -> None:
    with pytest.raises(EntityFault) as fault:
        entities_of(value, TEXT)
    assert str(fault.value).startswith(message)


@pytest.mark.parametrize("tag", ["O", "B-x", "I-x-y", "E-geo loc", "S-1", "L-x", "U-x"])
def test_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize("tag", ["", "o", "B", "B-", "B- ", "X-x", "person", "OO"])
def test_an_invalid_tag(tag: str) -> None:
    assert not is_tag(tag)


@given(st.lists(st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BIES"), st.sampled_from("xy")))))
def test_chunks_are_those_of_seqeval_whatever_the_tags_are(tags: list[str]) -> None:
    assert chunks(tags) == [(first, last + 1, kind) for kind, first, last in get_entities(tags)]


def test_bilou_is_bioes_in_other_letters() -> None:
    bioes = ["S-x", "B-y", "I-y", "E-y", "O", "B-x", "E-x"]
    bilou = [tag.replace("S-", "U-").replace("E-", "L-") for tag in bioes]
    assert chunks(bilou) == chunks(bioes) == [(0, 1, "x"), (1, 4, "y"), (5, 7, "x")]
