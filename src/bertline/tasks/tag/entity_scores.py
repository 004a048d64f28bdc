"""Precision, recall and F1 of whole entities, with intervals, and the confusion of their types.

A predicted entity is right if its characters and its type are right, as in CoNLL's shared tasks and in seqeval. The
bootstrap resamples texts rather than entities, because the entities of one text are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.as_json import as_json
from bertline.statistics.calibration import Bin
from bertline.statistics.intervals import Estimate, averaged, class_intervals, percentile, resampled_sums
from bertline.statistics.metrics import RATIOS, ClassCounts, macro_of, micro_of
from bertline.tasks.measured import ClassScores, EvaluatedTexts, evaluation_json
from bertline.tasks.tag.confusion import Entities, confused

Array = np.ndarray[Any, Any]
Counts = Float[Array, "texts counts"]


@dataclass(frozen=True, slots=True)
class TypeScores(ClassScores):
    """One type of entities.

    ``boundary`` counts predicted entities that overlap a true one of the type but have other borders. Each lowers both
    precision and recall.
    """

    boundary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityEvaluation(EvaluatedTexts):
    """A tagger, compared in slices by its F1; its mistakes are wrong entities.

    Attributes:
        micro: precision, recall and F1 over all entities.
        macro: the unweighted means over the types that are true or predicted somewhere.
        types: each type, including those that only the truth has.
        unknown: the types that only the truth has.
        confusion: a row per true type and a column per predicted type, in the order of ``types``; the last row counts
            spurious entities, the last column missed ones. A true and a predicted entity are paired by the characters
            that they share, so the diagonal includes ``boundary`` errors.
        temperature: of the model.
        bins: predicted entities by their score, with the share of right ones.
    """

    micro: dict[str, Estimate]
    macro: dict[str, Estimate]
    types: tuple[TypeScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    unknown: tuple[str, ...]
    temperature: float
    bins: tuple[Bin, ...]

    @property
    def entities(self) -> int:
        """True entities of all texts."""
        return sum(scores.support for scores in self.types)

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The headline figures by name, the most important first."""
        return (
            ("F1", self.micro["f1"]),
            ("precision", self.micro["precision"]),
            ("recall", self.micro["recall"]),
            ("macro-F1", self.macro["f1"]),
        )

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON."""
        overall = self.micro | {f"macro_{name}": estimate for name, estimate in self.macro.items()}
        figures: dict[str, dict[str, float]] = as_json(overall)
        return figures

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        parts = {
            "types": self.types,
            "unknown_types": self.unknown,
            "confusion": self.confusion,
            "reliability": self.bins,
        }
        return evaluation_json(self, {"entities": self.entities, "temperature": self.temperature}, parts)


def entity_figures(
    truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """``micro``, ``macro``, ``types``, ``confusion`` and ``unknown`` of an evaluation.

    Args:
        truth: the entities of each text.
        predicted: the predicted entities of each text.
        types: of the model; types that only the truth has follow them and are always missed.
        seed: of the bootstrap.
    """
    names = all_types(truth, types)
    counts = text_counts(truth, predicted, names)
    whole, resampled = summed(counts), ClassCounts.split(resampled_sums(counts, seed=seed))
    confusion, boundary = confused(truth, predicted, names)
    return {
        "micro": averaged(micro_of, whole, resampled),
        "macro": averaged(macro_of, whole, resampled),
        "types": tuple(_scores(name, i, whole, resampled, int(boundary[i])) for i, name in enumerate(names)),
        "confusion": tuple(tuple(int(n) for n in row) for row in confusion),
        "unknown": names[len(types) :],
    }


def all_types(truth: Sequence[Entities], types: Sequence[str]) -> tuple[str, ...]:
    """The model's types, followed by those that only the truth has."""
    return (*types, *sorted({entity.label for text in truth for entity in text} - {*types}))


def text_counts(truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str]) -> Counts:
    """Entities of each text by type: right, true and predicted, in this order, [texts, 3 × types].

    Entities whose type is not in ``types`` are not counted.
    """
    place = {name: i for i, name in enumerate(types)}
    out = np.zeros((len(truth), 3, len(types)))
    for row, (true, guess) in enumerate(zip(truth, predicted, strict=True)):
        for part, counted in enumerate(({*true} & {*guess}, true, guess)):
            for entity in counted:
                if entity.label in place:
                    out[row, part, place[entity.label]] += 1
    return out.reshape(len(truth), 3 * len(types))


def summed(counts: Counts) -> ClassCounts:
    """The counts of all texts together."""
    return ClassCounts.split(counts.sum(axis=0))


def _scores(name: str, i: int, whole: ClassCounts, resampled: ClassCounts, boundary: int) -> TypeScores:
    """Each interval covers the bootstrap's and Wilson's, because resamples of a few right entities are all alike."""
    hits, support, predicted = (int(part[i]) for part in (whole.hits, whole.support, whole.predicted))
    simple, scores = class_intervals(hits, support, predicted), {}
    for ratio, formula in RATIOS.items():
        bootstrap, score = percentile(simple[ratio].value, formula(resampled)[:, i]), simple[ratio]
        scores[ratio] = Estimate(score.value, min(bootstrap.low, score.low), max(bootstrap.high, score.high))
    return TypeScores(name, **scores, support=support, predicted=predicted, boundary=boundary)
