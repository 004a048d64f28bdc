"""Figures of a tagger: those of the entities that its arrays are decoded to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.data.entities import Entity
from bertline.statistics.calibration import binned, fit_temperature
from bertline.statistics.intervals import Estimate, f1_interval
from bertline.statistics.metrics import RATIOS, micro_of
from bertline.statistics.slices import SliceFigure
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import MISTAKES, Arrays, Fields, Mistake, check, compare_f1, excerpt, sliced
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.answer import Answer, answers
from bertline.tasks.tag.confusion import Entities
from bertline.tasks.tag.entity_scores import EntityEvaluation, all_types, entity_figures, summed, text_counts
from bertline.tasks.tag.spec import Spec
from bertline.text.reading import Reading

NOTHING = "no entity"  # in lists of mistakes

Array = np.ndarray[Any, Any]


def figures(spec: Spec, truth: Sequence[Entities], arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """F1, precision and recall over all entities.

    Args:
        spec: of the model.
        truth: the entities of each text.
        arrays: of each text, the logits of its pieces, each [token, label] with special tokens.
        readings: of the texts, with offsets.
    """
    counts = summed(text_counts(truth, _predicted(spec, arrays, readings), all_types(truth, spec.types)))
    return {name: float(micro_of(RATIOS[name], counts)) for name in ("f1", "precision", "recall")}


def tune(spec: Spec, truth: Sequence[Entities], arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec with the temperature of least loss over the labelled tokens of validation texts.

    It changes the scores of entities and never which entities there are.
    """
    logits, labels = [np.zeros((0, len(spec.labels)))], [np.zeros(0, dtype=np.int64)]
    for entities, array, reading in zip(truth, arrays, readings, strict=True):
        pieces = spec.pieces(reading)
        targets = pieces.targets(entities, spec.spelling)
        labelled = targets != UNLABELLED
        logits.append(pieces.tokens.rows(array)[labelled].astype(np.float64))
        labels.append(targets[labelled])
    temperature = fit_temperature(np.concatenate(logits), np.concatenate(labels))
    return spec.model_copy(update={"temperature": temperature})


def measure(
    spec: Spec,
    truth: Sequence[Entities],
    arrays: Arrays,
    readings: Sequence[Reading],
    *,
    fields: Fields = (),
    seed: int = 0,
) -> EntityEvaluation:
    """Every figure of test texts.

    Args:
        spec: of the model; its temperature comes from other texts than these.
        truth: the entities of each text.
        arrays: of each text, the logits of its pieces, each [token, label] with special tokens.
        readings: of the texts, with offsets.
        fields: values of the columns to slice by, one mapping per text; none for no slices.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no texts, or a logit is not finite.
    """
    check(truth, arrays, readings)
    given = answers(spec, arrays, readings)
    predicted = [[scored.entity for scored in answer.entities] for answer in given]
    counts = text_counts(truth, predicted, all_types(truth, spec.types))
    f1 = SliceFigure("f1", lambda members: _f1(counts[members]))
    scored = [
        (scored.score, scored.entity in {*true})
        for true, answer in zip(truth, given, strict=True)
        for scored in answer.entities
    ]
    return EntityEvaluation(
        **sliced(f1, readings, fields),
        **entity_figures(truth, predicted, spec.types, seed=seed),
        temperature=spec.temperature,
        bins=binned(np.array([score for score, _ in scored]), np.array([right for _, right in scored], dtype=bool)),
        mistakes=_mistakes(truth, given, readings),
        seed=seed,
    )


def compare(
    spec: Spec,
    truth: Sequence[Entities],
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    other: tuple[Spec, Sequence[Reading]] | None = None,
    seed: int = 0,
) -> Comparison:
    """F1 of two networks on the same texts; ``other`` has the spec and the readings of the second, if they differ."""
    other_spec, other_readings = other or (spec, readings)
    first, second = _predicted(spec, arrays, readings), _predicted(other_spec, other_arrays, other_readings)
    return compare_entities(truth, first, second, seed=seed)


def compare_entities(
    truth: Sequence[Entities], first: Sequence[Entities], second: Sequence[Entities], *, seed: int = 0
) -> Comparison:
    """F1 of two taggers by the entities that they give the same texts."""
    names = sorted({entity.label for text in (*truth, *first, *second) for entity in text})
    both = (first, second)
    counts = [text_counts(truth, entities, names).reshape(len(truth), 3, -1).sum(axis=2) for entities in both]
    return compare_f1("F1", counts, [_same(truth, entities) for entities in both], _same(first, second), seed)


def _predicted(spec: Spec, arrays: Arrays, readings: Sequence[Reading]) -> list[list[Entity]]:
    return [[scored.entity for scored in answer.entities] for answer in answers(spec, arrays, readings)]


def _same(first: Sequence[Entities], other: Sequence[Entities]) -> Array:
    """Whether each text has the same entities in both, [text]."""
    return np.array([{*a} == {*b} for a, b in zip(first, other, strict=True)], dtype=bool)


def _f1(counts: Array) -> Estimate:
    """F1 with an interval that treats the entities as independent."""
    hits, support, predicted = (int(part.sum()) for part in np.split(counts, 3, axis=1))
    return f1_interval(hits, support + predicted - 2 * hits)


def _mistakes(truth: Sequence[Entities], given: Sequence[Answer], readings: Sequence[Reading]) -> tuple[Mistake, ...]:
    """Wrong entities, those with the highest score first, each with the true entities that it overlaps."""
    wrong = [
        (row, scored)
        for row, (true, answer) in enumerate(zip(truth, given, strict=True))
        for scored in answer.entities
        if scored.entity not in {*true}
    ]
    return tuple(
        Mistake(
            row=row,
            excerpt=excerpt(readings[row].input),
            truth=_shown(str(readings[row].input), _overlapped(truth[row], scored.entity)),
            predicted=_shown(str(readings[row].input), [scored.entity]),
            confidence=scored.score,
        )
        for row, scored in sorted(wrong, key=lambda pair: -pair[1].score)[:MISTAKES]
    )


def _overlapped(true: Entities, entity: Entity) -> list[Entity]:
    return [candidate for candidate in true if candidate.start < entity.end and entity.start < candidate.end]


def _shown(text: str, entities: Entities) -> str:
    return ", ".join(f"{entity.label} “{text[entity.start : entity.end]}”" for entity in entities) or NOTHING
