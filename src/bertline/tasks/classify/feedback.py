"""Feedback on a classifier's answer: the correct label, the correct labels, or the correct number."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.data.label_lists import list_in
from bertline.data.labels import Labels
from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.spec import Spec
from bertline.tasks.feedback import DIGITS, FeedbackFault, Json, name_in, number_in

BY_CHARACTERS = False  # a correct answer is the same for a text with redacted parts
MOST_LABELS = 200  # whose probabilities are kept, the most probable ones


def recorded(spec: Spec, answer: Prediction | Number) -> dict[str, Json]:
    """What is kept of an answer.

    >>> recorded(Spec(labels=("bad", "good")), Prediction("good", {"bad": 0.25, "good": 0.75}, 3, 0))
    {'label': 'good', 'probabilities': {'bad': 0.25, 'good': 0.75}}
    """
    if isinstance(answer, Number):
        return {"number": answer.number}
    shares = answer.probabilities.items() if len(spec.labels) <= MOST_LABELS else answer.top(MOST_LABELS)
    several = {} if answer.labels is None else {"labels": [*answer.labels]}
    return {"label": answer.label, **several, "probabilities": {name: round(share, DIGITS) for name, share in shares}}


def target(spec: Spec, value: object, answer: Json, characters: int) -> Json:
    """The correct answer in its one spelling, of a text with so many characters.

    Raises:
        FeedbackFault: the model cannot give it.
    """
    if spec.problem == "number":
        return number_in(value, "the correct number")
    places = Labels(spec.labels).places
    if spec.problem == "single":
        return name_in(value, places, spec.labels)
    return sorted({name_in(one, places, spec.labels) for one in _listed(value)})


def right(spec: Spec, answer: Json, correct: Json) -> bool | None:
    """Whether an answer was right; None of a number, which is near or far."""
    if spec.problem == "number":
        return None
    return bool(answer["label"] == correct if spec.problem == "single" else sorted(answer["labels"]) == correct)


def as_tested(spec: Spec) -> bool:
    """Whether served texts should be right as often as test rows are; a number is neither right nor wrong."""
    return spec.problem != "number"


def off(spec: Spec, answer: Json, correct: Json) -> float | None:
    """How far a number was from the correct one."""
    return float(abs(answer["number"] - correct)) if spec.problem == "number" else None


def margin(spec: Spec, answer: Json) -> float | None:
    """How sure the model was, from 0 to 1: the lead of its label, or the least distance from a threshold."""
    if spec.problem == "number":
        return None
    shares = answer["probabilities"]
    if spec.problem == "several":
        cuts = dict(zip(spec.labels, spec.cuts.tolist(), strict=True))
        return float(min(1.0, 2 * min(abs(share - cuts[name]) for name, share in shares.items())))
    first, second, *_ = [*sorted(shares.values(), reverse=True), 0.0]
    return float(first - second)


def confidences(spec: Spec, answer: Json) -> list[float]:
    """The probability of each label that the text was given, of one label or several; none of a number."""
    if spec.problem == "number":
        return []
    given = answer["labels"] if spec.problem == "several" else [answer["label"]]
    return [answer["probabilities"][name] for name in given if name in answer["probabilities"]]


def probabilities(spec: Spec, answer: Json) -> dict[str, float] | None:
    """Of each label, where labels exclude each other: what label errors are found by."""
    return dict(answer["probabilities"]) if spec.problem == "single" else None


def as_correct(spec: Spec, answer: Json) -> Json:
    """An answer in the form of a correct one, to compare two."""
    if spec.problem == "number":
        return answer["number"]
    return answer["label"] if spec.problem == "single" else sorted(answer["labels"])


def fields(spec: Spec, answer: Json, correct: Json) -> dict[str, str]:
    """Properties of an answer to break accuracy down by."""
    return {"correct label": correct, "given label": answer["label"]} if spec.problem == "single" else {}


def columns(spec: Spec, texts: Sequence[str], answer: Json, correct: Json) -> dict[str, object]:
    """A row of a table to train on."""
    names = ("text",) if len(texts) == 1 else ("text", "text_pair")
    return {**dict(zip(names, texts, strict=True)), "label": correct}


def _listed(value: object) -> Sequence[object]:
    listed = list_in(value) if isinstance(value, str) else value  # a text is a cell of a table
    if not isinstance(listed, list | tuple):
        raise FeedbackFault('is not a list of labels: give the correct ones as JSON, such as ["a", "b"], [] for none')
    return listed
