"""Confusions of entity types: missed, spurious, of another type, or with other borders."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.data.entities import Entity

Array = np.ndarray[Any, Any]
Entities = Sequence[Entity]  # of one text, in its order


def confused(truth: Sequence[Entities], predicted: Sequence[Entities], types: Sequence[str]) -> tuple[Array, Array]:
    """The matrix of ``measure.EntityEvaluation.confusion`` and, of each type, its boundary errors, [types]."""
    place = {name: i for i, name in enumerate(types)}
    none = len(types)
    matrix, boundary = np.zeros((none + 1, none + 1), dtype=np.int64), np.zeros(none, dtype=np.int64)
    for true, guess in zip(truth, predicted, strict=True):
        pairs = pairs_of(true, guess)
        for entity, other in pairs:
            matrix[place[entity.label], place[other.label]] += 1
            boundary[place[entity.label]] += entity != other and entity.label == other.label
        for entity in {*true} - {matched for matched, _ in pairs}:
            matrix[place[entity.label], none] += 1
        for other in {*guess} - {other for _, other in pairs}:
            matrix[none, place[other.label]] += 1
    return matrix, boundary


def pairs_of(true: Entities, guess: Entities) -> list[tuple[Entity, Entity]]:
    """Pairs of overlapping entities, each in one pair at most; pairs that share most of their characters come first."""
    common = [
        (min(entity.end, other.end) - max(entity.start, other.start), entity, other)
        for entity in true
        for other in guess
        if entity.start < other.end and other.start < entity.end
    ]
    # By the common share of the characters of both: 1 where the two are the same.
    shares = sorted(
        (-size / (entity.end - entity.start + other.end - other.start - size), entity, other)
        for size, entity, other in common
    )
    pairs: dict[Entity, Entity] = {}
    for _, entity, other in shares:
        if entity not in pairs and other not in pairs.values():
            pairs[entity] = other
    return list(pairs.items())
