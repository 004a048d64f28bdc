"""Feedback on a tagger's answer: the correct entities of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bertline.data.entities import EntityFault, entities_of
from bertline.data.labels import Labels
from bertline.tasks.feedback import DIGITS, FeedbackFault, Json, name_in
from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.spec import Spec

BY_CHARACTERS = True  # a correct answer names characters of the text, which must therefore be whole


def recorded(spec: Spec, answer: Answer) -> dict[str, Json]:
    """What is kept of an answer: characters and types, and not the text."""
    return {"entities": [{**one.entity.to_json(), "score": round(one.score, DIGITS)} for one in answer.entities]}


def target(spec: Spec, value: object, answer: Json, characters: int) -> Json:
    """The correct entities in the order of a text with so many characters.

    >>> target(Spec(types=("person",)), [[0, 5, "person"]], {"entities": []}, 5)
    [{'start': 0, 'end': 5, 'label': 'person'}]

    Raises:
        FeedbackFault: they are none of this text, or their types none of the model.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):  # their own text is not compared: it was not kept
        value = [_bare(one) for one in value]
    try:
        entities = entities_of(value, "\0" * characters)
    except EntityFault as fault:
        raise FeedbackFault(f"has {fault}: give a list of objects with start, end and label") from None
    for one in entities:
        name_in(one.label, Labels(spec.types).places, spec.types, "type")
    return [one.to_json() for one in entities]


def right(spec: Spec, answer: Json, correct: Json) -> bool | None:
    """Whether all entities, and no others, were found."""
    return _keys(answer["entities"]) == _keys(correct)


def as_tested(spec: Spec) -> bool:
    """Whether served texts should be right as often as test rows are."""
    return True


def off(spec: Spec, answer: Json, correct: Json) -> float | None:
    """No distance."""
    return None


def margin(spec: Spec, answer: Json) -> float | None:
    """The score of the least sure entity; 1 without any."""
    return min((one["score"] for one in answer["entities"]), default=1.0)


def confidences(spec: Spec, answer: Json) -> list[float]:
    """The score of each entity."""
    return [one["score"] for one in answer["entities"]]


def probabilities(spec: Spec, answer: Json) -> dict[str, float] | None:
    """None: a text has no one label."""
    return None


def as_correct(spec: Spec, answer: Json) -> Json:
    """An answer in the form of a correct one, to compare two."""
    return [{"start": one["start"], "end": one["end"], "label": one["label"]} for one in answer["entities"]]


def fields(spec: Spec, answer: Json, correct: Json) -> dict[str, str]:
    """Properties of an answer to break accuracy down by."""
    return {"correct entities": "some" if correct else "none"}


def columns(spec: Spec, texts: Sequence[str], answer: Json, correct: Json) -> dict[str, object]:
    """A row of a table to train on."""
    return {"text": texts[0], "entities": correct}


def _bare(one: object) -> object:
    return {key: item for key, item in one.items() if key not in ("text", "word")} if isinstance(one, Mapping) else one


def _keys(entities: Json) -> set[tuple[int, int, str]]:
    return {(one["start"], one["end"], one["label"]) for one in entities}
