"""How two models' words for [MASK] are compared: by the most probable word."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.compared import Compared, RowCompared
from bertline.tasks.fill.answer import Answer, Mask
from bertline.tasks.fill.feedback import as_correct, recorded
from bertline.tasks.fill.spec import Spec
from bertline.text.reading import Input


def compared(spec: Spec, first: Sequence[Answer], second: Sequence[Answer]) -> Compared:
    """Models agree on a [MASK] if they have the same first word; the shift is the distance of the words' probabilities.

    >>> compared(Spec(), [Answer("a", (), 3, 0, 0)], [Answer("a", (), 3, 0, 0)])
    Compared(agree=(), shift=0.0)
    """
    pairs = zip(first, second, strict=True)
    return Compared.of([_pair(*masks) for one, other in pairs for masks in zip(one.masks, other.masks, strict=False)])


def by_row(spec: Spec, inputs: Sequence[Input], first: Sequence[Answer], second: Sequence[Answer]) -> list[RowCompared]:
    """Each row of a table by itself: the first word for each [MASK]."""
    said, others = ([as_correct(spec, recorded(spec, one)) for one in answers] for answers in (first, second))
    found = [compared(spec, [one], [other]) for one, other in zip(first, second, strict=True)]
    return [RowCompared.of(*three) for three in zip(said, others, found, strict=True)]


def _pair(one: Mask, other: Mask) -> tuple[bool, float]:
    shares = [{word.token: word.probability for word in mask.candidates} for mask in (one, other)]
    apart = sum(abs(shares[0].get(word, 0.0) - shares[1].get(word, 0.0)) for word in shares[0].keys() | shares[1])
    same = one.candidates[:1] == other.candidates[:1] or one.candidates[0].token == other.candidates[0].token
    return same, min(1.0, apart / 2)
