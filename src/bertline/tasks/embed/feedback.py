"""Feedback on an embedding: a label of the text, which texts that are alike share. No embedding is right or wrong."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.data.names import canonical
from bertline.tasks.embed.answer import Answer
from bertline.tasks.embed.spec import Spec
from bertline.tasks.feedback import LONGEST_NAME, FeedbackFault, Json

BY_CHARACTERS = False  # a correct answer is the same for a text with redacted parts


def recorded(spec: Spec, answer: Answer) -> dict[str, Json]:
    """Nothing: embeddings are kept of a sample, of every model alike."""
    return {}


def target(spec: Spec, value: object, answer: Json, characters: int) -> Json:
    """The label.

    Raises:
        FeedbackFault: it is no name.
    """
    if not isinstance(value, str) or not 0 < len(canonical(value)) <= LONGEST_NAME:
        raise FeedbackFault(f"is not a name of up to {LONGEST_NAME} characters: give what texts like this one share")
    return canonical(value)


def right(spec: Spec, answer: Json, correct: Json) -> bool | None:
    """Neither."""
    return None


def as_tested(spec: Spec) -> bool:
    """No: there is no right answer."""
    return False


def off(spec: Spec, answer: Json, correct: Json) -> float | None:
    """No distance."""
    return None


def margin(spec: Spec, answer: Json) -> float | None:
    """None: an embedding is not sure of anything."""
    return None


def confidences(spec: Spec, answer: Json) -> list[float]:
    """None: an embedding is no answer that could be right."""
    return []


def probabilities(spec: Spec, answer: Json) -> dict[str, float] | None:
    """None: the model gives no labels."""
    return None


def as_correct(spec: Spec, answer: Json) -> Json:
    """Nothing can be compared."""
    return None


def fields(spec: Spec, answer: Json, correct: Json) -> dict[str, str]:
    """No properties."""
    return {}


def columns(spec: Spec, texts: Sequence[str], answer: Json, correct: Json) -> dict[str, object]:
    """A row of a table to train on."""
    return {"text": texts[0], "label": correct}
