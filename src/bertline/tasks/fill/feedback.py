"""Feedback on words for [MASK]: the correct word for each."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.data.names import canonical
from bertline.tasks.feedback import DIGITS, LONGEST_NAME, FeedbackFault, Json
from bertline.tasks.fill.answer import Answer
from bertline.tasks.fill.spec import Spec

BY_CHARACTERS = True  # a correct answer names characters of the text, which must therefore be whole
WORDS = 5  # that are kept for each [MASK]


def recorded(spec: Spec, answer: Answer) -> dict[str, Json]:
    """What is kept of an answer: the words for each [MASK] and its characters, and not the text."""
    return {
        "masks": [
            {
                "start": mask.start,
                "end": mask.end,
                "tokens": [[one.token, round(one.probability, DIGITS)] for one in mask.candidates[:WORDS]],
            }
            for mask in answer.masks
        ]
    }


def target(spec: Spec, value: object, answer: Json, characters: int) -> Json:
    """The correct words, one for each [MASK] that was read; a word alone is for a single one.

    >>> target(Spec(), "film", {"masks": [{"start": 9, "end": 15, "tokens": [["plot", 0.5]]}]}, 20)
    ['film']

    Raises:
        FeedbackFault: these are no words.
    """
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words or not all(map(_is_word, words)):
        raise FeedbackFault("is not a list of words: give the correct one for each [MASK]")
    if len(words) != len(answer["masks"]):
        raise FeedbackFault(f"has {len(words)} words for {len(answer['masks'])} [MASK]: give one for each")
    return [canonical(str(one)) for one in words]


def right(spec: Spec, answer: Json, correct: Json) -> bool | None:
    """Whether the first word for each [MASK] is the correct one, in any case."""
    first = [mask["tokens"][0][0].casefold() for mask in answer["masks"]]
    return first == [one.casefold() for one in correct]


def as_tested(spec: Spec) -> bool:
    """No: there are no test rows."""
    return False


def off(spec: Spec, answer: Json, correct: Json) -> float | None:
    """No distance."""
    return None


def margin(spec: Spec, answer: Json) -> float | None:
    """The least lead of a first word over the second."""
    leads = [[share for _, share in mask["tokens"]] + [0.0] for mask in answer["masks"]]
    return min((one[0] - one[1] for one in leads), default=None)


def confidences(spec: Spec, answer: Json) -> list[float]:
    """The probability of the first word for each [MASK]."""
    return [mask["tokens"][0][1] for mask in answer["masks"]]


def probabilities(spec: Spec, answer: Json) -> dict[str, float] | None:
    """None: a text has no one label."""
    return None


def as_correct(spec: Spec, answer: Json) -> Json:
    """An answer in the form of a correct one, to compare two."""
    return [mask["tokens"][0][0] for mask in answer["masks"]]


def fields(spec: Spec, answer: Json, correct: Json) -> dict[str, str]:
    """Properties of an answer to break accuracy down by."""
    return {"[MASK]": "one" if len(correct) == 1 else "several"}


def columns(spec: Spec, texts: Sequence[str], answer: Json, correct: Json) -> dict[str, object]:
    """The text with the correct words: a row of a table to pre-train on."""
    text = texts[0]
    for mask, word in reversed([*zip(answer["masks"], correct, strict=False)]):
        text = text[: mask["start"]] + word + text[mask["end"] :]
    return {"text": text}


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(canonical(value)) <= LONGEST_NAME
