"""What is asked about an input: one number of the model's answer, and how it depends on the input's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.read import ReadPart, read_part
from bertline.explanation.sets import Sets, SpanSets, TextSets
from bertline.explanation.words import Word
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Reading, Tokenizer

Array = np.ndarray[Any, Any]
Span = tuple[int, int]  # characters of a text


class Answering(Protocol):
    """As ``inference.TextClassifier``."""

    spec: TaskSpec
    tokenizer: Tokenizer

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Array]]]:
        """What was read of each input, and the outputs of its pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        one: the input.
        words: of it that the model reads.
        sets: scores any set of them.
        name: the label that is asked about, or what the number is called.
        span: the characters whose label it is; None of a whole text.
        unit: of scores.
        shown: from a score to what the answer shows.
        cut_tokens: that truncation left out.
    """

    one: Input
    words: Sequence[Word]
    sets: Sets
    name: str
    span: Span | None
    unit: str
    shown: Callable[[float], float]
    cut_tokens: int


def question(model: Answering, one: Input, name: str | None = None, span: Span | None = None) -> Question:
    """Ask about one answer of a model.

    Args:
        model: answers.
        one: the input.
        name: the label; None is the one that the model gives.
        span: of a tagger: the characters whose label it is; None is the first entity (of that label).

    Raises:
        UsageError: the task has no such answers, there is no such label or span, or the input has no word that the
            model reads.
    """
    spec = model.spec
    if not task(spec.task).explains:
        raise UsageError(f"answers of the task {spec.task} cannot be explained: use a classifier, a tagger or a ranker")
    seam = task(spec.task).explained
    valid = spec.names or spec.labels
    if name is not None and name not in valid:
        raise UsageError(f"the model has no label {name!r}: choose one of {', '.join(valid)}")
    readings, arrays = model.pieces([one], spec.output)
    (answer,) = task(spec.task).answer.answers(spec, arrays, readings)
    part = read_part(one, readings[0], model.tokenizer)
    if not part.words:
        raise UsageError("the text has no word that the model reads: give one with letters or digits")
    sets: Sets
    if spec.output == "tags":
        name, span = seam.chosen(spec, answer, name, span)
        sets = _of_span(model, part, name, span)
    elif span is not None:
        raise UsageError(f"a span is for taggers, and the task of this model is {spec.task}: leave it out")
    else:
        name = name or seam.names(spec, answer)[0]
        sets = _of_text(model, part, name)
    return Question(
        one=one,
        words=part.whole,
        sets=sets,
        name=name,
        span=span,
        unit=seam.unit(spec),
        shown=lambda score: float(seam.shown(spec, score)),
        cut_tokens=readings[0].cut,
    )


def _of_text(model: Answering, part: ReadPart, name: str) -> TextSets:
    spec = model.spec

    def scores(inputs: Sequence[Input]) -> Array:
        found: Array = task(spec.task).explained.scores(spec, model.pieces(inputs, spec.output)[1], name)
        return found

    return TextSets(part.one, part.words, scores, model.tokenizer.mask)


def _of_span(model: Answering, part: ReadPart, name: str, span: Span) -> SpanSets:
    spec = model.spec
    inside = [place for place, word in enumerate(part.whole) if word.start < span[1] and word.end > span[0]]
    if not inside:
        raise UsageError(
            f"characters {span[0]} to {span[1]} have no word that the model reads: give a span with a word"
        )

    def scores(texts: Sequence[str], ranges: Sequence[Sequence[Span]]) -> Array:
        readings, arrays = model.pieces(texts, spec.output)
        found: Array = task(spec.task).explained.scores_at(spec, readings, arrays, ranges, name)
        return found

    return SpanSets(str(part.one), part.words, range(inside[0], inside[-1] + 1), scores, model.tokenizer.mask)
