"""Feedback on a ranker's answer: how relevant the text is for its query."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.feedback import DIGITS, Json, number_in
from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec

BY_CHARACTERS = False  # a correct answer is the same for a text with redacted parts


def recorded(spec: Spec, answer: Score) -> dict[str, Json]:
    """What is kept of an answer."""
    return {"score": round(answer.score, DIGITS)}


def target(spec: Spec, value: object, answer: Json, characters: int) -> Json:
    """The correct score; true and false are the highest one and 0.

    Raises:
        FeedbackFault: it is no number from 0.
    """
    if isinstance(value, bool):
        return spec.highest if value else 0.0
    return number_in(value, "the relevance of the text, 0 or higher", least=0.0)


def right(spec: Spec, answer: Json, correct: Json) -> bool | None:
    """Whether a relevant text was scored as one, or another one as another.

    >>> right(Spec(), {"score": 0.7}, 1.0), right(Spec(highest=3), {"score": 0.7}, 2.0)
    (True, False)
    """
    return bool((answer["score"] >= spec.relevant_from) == (correct >= spec.relevant_from))


def as_tested(spec: Spec) -> bool:
    """No: the candidates of a test row are not those that are served."""
    return False


def off(spec: Spec, answer: Json, correct: Json) -> float | None:
    """How far the score was from the correct one."""
    return float(abs(answer["score"] - correct))


def margin(spec: Spec, answer: Json) -> float | None:
    """How far the score is from that of a text which is just relevant, from 0 to 1."""
    return float(min(1.0, abs(answer["score"] - spec.relevant_from) / spec.relevant_from))


def confidences(spec: Spec, answer: Json) -> list[float]:
    """None: a score is no probability."""
    return []


def probabilities(spec: Spec, answer: Json) -> dict[str, float] | None:
    """None: there are no labels."""
    return None


def as_correct(spec: Spec, answer: Json) -> Json:
    """An answer in the form of a correct one, to compare two."""
    return answer["score"]


def fields(spec: Spec, answer: Json, correct: Json) -> dict[str, str]:
    """Properties of an answer to break accuracy down by."""
    return {"relevant": "yes" if correct >= spec.relevant_from else "no"}


def columns(spec: Spec, texts: Sequence[str], answer: Json, correct: Json) -> dict[str, object]:
    """A row of a table to train on."""
    query, text = texts
    return {"query": query, "text": text, "score": correct}
