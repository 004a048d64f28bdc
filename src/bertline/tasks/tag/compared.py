"""How two taggers' answers to one text are compared: by their entities."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.compared import Compared, RowCompared
from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.feedback import as_correct, recorded
from bertline.tasks.tag.spec import Spec
from bertline.text.reading import Input


def compared(spec: Spec, first: Sequence[Answer], second: Sequence[Answer]) -> Compared:
    """Answers agree if they have the same entities.

    The shift is the mean over entities of the difference of their scores, or 1 for one that only one answer has.

    >>> compared(Spec(types=("place",)), [Answer((), 3, 0)], [Answer((), 3, 0)])
    Compared(agree=(True,), shift=0.0)
    """
    return Compared.of([_pair(one, other) for one, other in zip(first, second, strict=True)])


def by_row(spec: Spec, inputs: Sequence[Input], first: Sequence[Answer], second: Sequence[Answer]) -> list[RowCompared]:
    """Each row of a table by itself: its entities, with their characters."""
    said, others = ([as_correct(spec, recorded(spec, one)) for one in answers] for answers in (first, second))
    found = [compared(spec, [one], [other]) for one, other in zip(first, second, strict=True)]
    return [RowCompared.of(*three) for three in zip(said, others, found, strict=True)]


def _pair(one: Answer, other: Answer) -> tuple[bool, float]:
    scores = [{entity.entity: entity.score for entity in answer.entities} for answer in (one, other)]
    every = scores[0].keys() | scores[1].keys()
    if not every:
        return True, 0.0
    both = scores[0].keys() & scores[1].keys()
    shift = len(every) - len(both) + sum(abs(scores[0][entity] - scores[1][entity]) for entity in both)
    return len(both) == len(every), shift / len(every)
