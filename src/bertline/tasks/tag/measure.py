"""Precision, recall and F1 of whole entities, with intervals, and the confusion of their types.

A predicted entity is right if its characters and its type are right, as in CoNLL's shared tasks and in seqeval. The
bootstrap resamples texts rather than entities, because the entities of one text are not independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.data.entities import Entity
from bertline.statistics.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    f1_interval,
    percentile,
    resampled_sums,
    wilson,
)
from bertline.statistics.metrics import ClassCounts, f1_of, precision_of, recall_of

Array = np.ndarray[Any, Any]
Counts = Float[Array, "texts counts"]
Ratio = Callable[[ClassCounts], Array]
Entities = Sequence[Entity]  # of one text, in its order
RATIOS = {"precision": precision_of, "recall": recall_of, "f1": f1_of}


@dataclass(frozen=True, slots=True)
class TypeScores:
    """One type: it has ``support`` true entities and ``predicted`` predicted ones.

    ``boundary`` of them have the right type and overlap the true entity, but have other borders. Each of these counts
    against both precision and recall.
    """

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    predicted: int
    boundary: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        scores = {name: getattr(self, name).to_json() for name in RATIOS}
        counts = {name: getattr(self, name) for name in ("support", "predicted", "boundary")}
        return {"label": self.label, **scores, **counts}


@dataclass(frozen=True, slots=True)
class EntityEvaluation:
    """A tagger measured on ``texts`` texts.

    Attributes:
        micro: precision, recall and F1 over all entities.
        macro: the unweighted means over the types that are true or predicted somewhere.
        types: each type, including those that only the truth has.
        confusion: a row per true type and a column per predicted type, in the order of ``types``; the last row counts
            spurious entities, the last column missed ones. A true and a predicted entity are paired by the characters
            that they share, so the diagonal includes ``boundary`` errors.
    """

    texts: int
    micro: dict[str, Estimate]
    macro: dict[str, Estimate]
    types: tuple[TypeScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    seed: int

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures people ask for first, by name, most wanted first."""
        return (
            ("F1", self.micro["f1"]),
            ("precision", self.micro["precision"]),
            ("recall", self.micro["recall"]),
            ("macro-F1", self.macro["f1"]),
        )

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON."""
        overall = self.micro | {f"macro_{name}": one for name, one in self.macro.items()}
        return {name: estimate.to_json() for name, estimate in overall.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        return {
            "texts": self.texts,
            "entities": sum(one.support for one in self.types),
            "intervals": {"level": LEVEL, "resamples": RESAMPLES, "seed": self.seed},
            "metrics": self.metrics(),
            "types": [one.to_json() for one in self.types],
            "confusion": [list(row) for row in self.confusion],
        }


@dataclass(frozen=True, slots=True)
class PairedF1:
    """Micro F1 of the first tagger minus that of the second, on the same texts."""

    f1: Estimate

    @property
    def verdict(self) -> int:
        """1: the first is better; −1: the second; 0: not shown, because the interval contains 0."""
        return int(self.f1.low > 0) - int(self.f1.high < 0)


def evaluate(
    truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str], *, seed: int = 0
) -> EntityEvaluation:
    """Measure predicted entities against the true ones.

    Args:
        truth: the entities of each text.
        predicted: the predicted entities of each text.
        types: of the model. Further types that the truth has come after them, and are always missed.
        seed: of the bootstrap.
    """
    names = [*types, *sorted({one.label for text in truth for one in text} - {*types})]
    counts = text_counts(truth, predicted, names)
    whole, resampled = _summed(counts), _resampled(counts, seed)
    confusion, boundary = confused(truth, predicted, names)
    return EntityEvaluation(
        texts=len(truth),
        micro={name: _estimate(whole, resampled, partial(_micro, one)) for name, one in RATIOS.items()},
        macro={name: _estimate(whole, resampled, partial(_macro, one)) for name, one in RATIOS.items()},
        types=tuple(_scores(name, i, whole, resampled, int(boundary[i])) for i, name in enumerate(names)),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        seed=seed,
    )


def compare(
    truth: Sequence[Entities], first: Sequence[Entities], second: Sequence[Entities], *, seed: int = 0
) -> PairedF1:
    """Compare two taggers by resampling the texts that both have tagged."""
    names = sorted({one.label for text in (*truth, *first, *second) for one in text})
    counts = np.concatenate([text_counts(truth, one, names) for one in (first, second)], axis=1)
    width = 3 * len(names)
    sums = resampled_sums(counts, seed=seed)
    f1 = [
        [_micro(f1_of, _class_counts(some[..., i * width : (i + 1) * width])) for some in (counts.sum(axis=0), sums)]
        for i in range(2)
    ]
    return PairedF1(percentile(float(f1[0][0] - f1[1][0]), f1[0][1] - f1[1][1]))


def micro_f1(truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str]) -> float:
    """F1 over all entities, without an interval."""
    return float(_micro(f1_of, _summed(text_counts(truth, predicted, types))))


def text_counts(truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str]) -> Counts:
    """Entities of each text by type: right, true and predicted, in this order, [texts, 3 × types].

    Entities whose type is not in ``types`` are not counted.
    """
    place = {name: i for i, name in enumerate(types)}
    out = np.zeros((len(truth), 3, len(types)))
    for row, (true, guess) in enumerate(zip(truth, predicted, strict=True)):
        for part, some in enumerate(({*true} & {*guess}, true, guess)):
            for one in some:
                if one.label in place:
                    out[row, part, place[one.label]] += 1
    return out.reshape(len(truth), 3 * len(types))


def confused(truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str]) -> tuple[Array, Array]:
    """The matrix of ``EntityEvaluation.confusion`` and, of each type, its boundary errors, [types]."""
    place = {name: i for i, name in enumerate(types)}
    none = len(types)
    matrix, boundary = np.zeros((none + 1, none + 1), dtype=np.int64), np.zeros(none, dtype=np.int64)
    for true, guess in zip(truth, predicted, strict=True):
        pairs = _pairs(true, guess)
        for one, other in pairs:
            matrix[place[one.label], place[other.label]] += 1
            boundary[place[one.label]] += one != other and one.label == other.label
        for one in {*true} - {one for one, _ in pairs}:
            matrix[place[one.label], none] += 1
        for other in {*guess} - {other for _, other in pairs}:
            matrix[none, place[other.label]] += 1
    return matrix, boundary


def _pairs(true: Entities, guess: Entities) -> list[tuple[Entity, Entity]]:
    """Pairs of overlapping entities, each in one pair at most; pairs that share most of their characters come first."""
    common = [
        (min(one.end, other.end) - max(one.start, other.start), one, other)
        for one in true
        for other in guess
        if one.start < other.end and other.start < one.end
    ]
    # By the common share of the characters of both: 1 where the two are the same.
    shares = sorted(
        (-size / (one.end - one.start + other.end - other.start - size), one, other) for size, one, other in common
    )
    pairs: dict[Entity, Entity] = {}
    for _, one, other in shares:
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return list(pairs.items())


def _class_counts(sums: Array) -> ClassCounts:
    return ClassCounts(*np.split(sums, 3, axis=-1))


def _summed(counts: Counts) -> ClassCounts:
    return _class_counts(counts.sum(axis=0))


def _resampled(counts: Counts, seed: int) -> ClassCounts:
    return _class_counts(resampled_sums(counts, seed=seed) if len(counts) else np.zeros((1, counts.shape[1])))


def _micro(ratio: Ratio, counts: ClassCounts) -> Array:
    parts = (counts.hits, counts.support, counts.predicted)
    return ratio(ClassCounts(*(part.sum(axis=-1, keepdims=True) for part in parts)))[..., 0]


def _macro(ratio: Ratio, counts: ClassCounts) -> Array:
    occurring = (counts.support + counts.predicted > 0).sum(axis=-1)
    return np.asarray(ratio(counts).sum(axis=-1) / np.maximum(occurring, 1))


def _estimate(whole: ClassCounts, resampled: ClassCounts, statistic: Callable[[ClassCounts], Array]) -> Estimate:
    return percentile(float(statistic(whole)), np.atleast_1d(statistic(resampled)))


def _scores(name: str, i: int, whole: ClassCounts, resampled: ClassCounts, boundary: int) -> TypeScores:
    """Each interval covers the bootstrap's and Wilson's, because resamples of a few right entities are all alike."""
    hits, support, predicted = (int(part[i]) for part in (whole.hits, whole.support, whole.predicted))
    simple = {
        "precision": wilson(hits, predicted),
        "recall": wilson(hits, support),
        "f1": f1_interval(hits, support + predicted - 2 * hits),
    }
    scores = {}
    for ratio, formula in RATIOS.items():
        other = percentile(simple[ratio].value, formula(resampled)[:, i])
        scores[ratio] = Estimate(other.value, min(other.low, simple[ratio].low), max(other.high, simple[ratio].high))
    return TypeScores(name, **scores, support=support, predicted=predicted, boundary=boundary)
