"""Figures of a classifier, by the problem that its spec names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertline.tasks.classify import number, one_label, several_labels
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison, Evaluation
from bertline.tasks.measured import Array, Arrays, Fields, check, text_logits
from bertline.text.reading import Reading

_PROBLEMS: Mapping[str, Any] = {"single": one_label, "several": several_labels, "number": number}


def figures(spec: Spec, truth: Sequence[Any], arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """Cheap figures of validation texts; the first one judges an epoch.

    Args:
        spec: of the model.
        truth: of each text, its label, its labels or its number.
        arrays: of each text, the logits of its pieces, each [label].
        readings: of the texts.
    """
    scores: dict[str, float] = _PROBLEMS[spec.problem].figures(spec, truth, _logits(spec, arrays))
    return scores


def tune(spec: Spec, truth: Sequence[Any], arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec with the temperature or the thresholds that fit validation texts best; for numbers unchanged."""
    if spec.problem == "number":
        return spec
    tuned: Spec = _PROBLEMS[spec.problem].tune(spec, truth, _logits(spec, arrays))
    return tuned


def measure(
    spec: Spec,
    truth: Sequence[Any],
    arrays: Arrays,
    readings: Sequence[Reading],
    *,
    fields: Fields = (),
    seed: int = 0,
) -> Evaluation:
    """Every figure of test texts.

    Args:
        spec: of the model; its temperature and thresholds come from other texts than these.
        truth: of each text, its label, its labels or its number.
        arrays: of each text, the logits of its pieces, each [label].
        readings: of the texts.
        fields: values of the columns to slice by, one mapping per text; none for no slices.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no texts, or a logit is not finite.
    """
    check(truth, arrays, readings)
    problem = _PROBLEMS[spec.problem]
    evaluation: Evaluation = problem.measure(spec, truth, _logits(spec, arrays), readings, fields, seed)
    return evaluation


def compare(
    spec: Spec,
    truth: Sequence[Any],
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    other: tuple[Spec, Sequence[Reading]] | None = None,
    seed: int = 0,
) -> Comparison:
    """The networks that computed ``arrays`` and ``other_arrays`` of the same texts.

    ``other`` has the spec and the readings of the second one, where they differ: its thresholds count.
    """
    logits, other_logits = _logits(spec, arrays), _logits(spec, other_arrays)
    specs = spec, other[0] if other else spec
    comparison: Comparison = _PROBLEMS[spec.problem].compare(specs, truth, logits, other_logits, seed)
    return comparison


def _logits(spec: Spec, arrays: Arrays) -> Array:
    return text_logits(arrays, len(spec.labels))
