"""How two classifiers' answers to one text are compared: by label, or by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.feedback import as_correct, recorded
from bertline.tasks.classify.spec import Spec
from bertline.tasks.compared import Compared, RowCompared
from bertline.text import Input

NEAR = 0.1  # of the larger number, by which two equal ones may differ


def compared(spec: Spec, first: Sequence[Prediction | Number], second: Sequence[Prediction | Number]) -> Compared:
    """Same label, or same labels where a text may have several; the shift is the total variation distance.

    Numbers agree if they differ by at most a tenth of the larger one, and that share is the shift.

    >>> spec = Spec(labels=("bad", "good"))
    >>> one, other = (Prediction("good", {"bad": 1 - p, "good": p}, read_tokens=3, cut_tokens=0) for p in (0.75, 0.5))
    >>> compared(spec, [one], [other])
    Compared(agree=(True,), shift=0.25)
    """
    return Compared.of([*_pairs(first, second)])


def by_row(
    spec: Spec, inputs: Sequence[Input], first: Sequence[Prediction | Number], second: Sequence[Prediction | Number]
) -> list[RowCompared]:
    """Each row of a table by itself: label, labels or number.

    >>> spec = Spec(labels=("bad", "good"))
    >>> one, other = (Prediction(name, {"bad": 0.5, "good": 0.5}, 3, 0) for name in ("good", "bad"))
    >>> by_row(spec, ["a text"], [one], [other])
    [RowCompared(first='good', second='bad', agree=False, shift=0.0)]
    """
    said, others = ([as_correct(spec, recorded(spec, one)) for one in answers] for answers in (first, second))
    each = zip(said, others, _pairs(first, second), strict=True)
    return [RowCompared(one, other, agree, shift) for one, other, (agree, shift) in each]


def _pairs(first: Sequence[Prediction | Number], second: Sequence[Prediction | Number]) -> Iterator[tuple[bool, float]]:
    for one, other in zip(first, second, strict=True):
        if isinstance(one, Number) and isinstance(other, Number):
            yield _numbers(one, other)
        elif isinstance(one, Prediction) and isinstance(other, Prediction):
            yield _labels(one, other)


def _numbers(one: Number, other: Number) -> tuple[bool, float]:
    apart, largest = abs(one.number - other.number), max(abs(one.number), abs(other.number))
    share = min(1.0, apart / largest) if largest else 0.0
    return share <= NEAR, share


def _labels(one: Prediction, other: Prediction) -> tuple[bool, float]:
    names = one.probabilities.keys() | other.probabilities.keys()
    apart = sum(abs(one.probabilities.get(name, 0.0) - other.probabilities.get(name, 0.0)) for name in names)
    if one.labels is None:
        return one.label == other.label, apart / 2
    return set(one.labels) == set(other.labels or ()), apart / len(names)
