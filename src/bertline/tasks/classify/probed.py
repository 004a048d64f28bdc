"""What a changed text must not change about a classifier's answer: its label, its labels, or about its number."""

from __future__ import annotations

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.compared import compared
from bertline.tasks.classify.spec import Spec


def same(spec: Spec, before: Prediction | Number, after: Prediction | Number) -> bool:
    """Whether the answers agree, as those of two models would have to.

    >>> spec = Spec(labels=("bad", "good"))
    >>> one, other = (Prediction("good", {"bad": 1 - p, "good": p}, read_tokens=3, cut_tokens=0) for p in (0.75, 0.5))
    >>> same(spec, one, other), moved(spec, one, other), said(spec, one)
    (True, 0.25, ('good', 0.75))
    """
    return all(compared(spec, [before], [after]).agree)


def moved(spec: Spec, before: Prediction | Number, after: Prediction | Number) -> float:
    """By how much, 0 to 1."""
    return compared(spec, [before], [after]).shift


def said(spec: Spec, answer: Prediction | Number) -> tuple[str, float | None]:
    """An answer in a word, with its probability if it has one."""
    if isinstance(answer, Number):
        return f"{answer.number:.3g}", None
    if answer.labels is None:
        return answer.label, answer.probabilities[answer.label]
    return ", ".join(answer.labels) or "no label", None
