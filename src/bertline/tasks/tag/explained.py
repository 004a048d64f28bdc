"""What is explained of a tagger's answer: the log-odds that the words of a span belong to an entity of a type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertline.errors import UsageError
from bertline.statistics.activation import softmax
from bertline.tasks.contract import Array
from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.spec import Spec
from bertline.text.reading import Reading

Span = tuple[int, int]  # characters
TINY = float(np.finfo(np.float64).tiny)


def names(spec: Spec, answer: Answer) -> tuple[str, ...]:
    """The types of the entities, in the order of the text."""
    return tuple(one.entity.label for one in answer.entities)


def unit(spec: Spec) -> str:
    """Of what ``scores_at`` gives."""
    return "log-odds"


def chosen(spec: Spec, answer: Answer, name: str | None, span: Span | None) -> tuple[str, Span]:
    """The type and the characters to explain.

    Args:
        spec: of the model.
        answer: for the text.
        name: a type; None is that of the entity in the span.
        span: characters; None are those of the first entity (of that type).

    Raises:
        UsageError: the text has no such entity, or the span is of no entity and no type was given.
    """
    if span is not None and name is not None:
        return name, span
    for one in answer.entities:
        entity = one.entity
        overlaps = span is None or (entity.start < span[1] and entity.end > span[0])
        if overlaps and name in (None, entity.label):
            return entity.label, (entity.start, entity.end)
    if span is not None:
        raise UsageError(
            f"the model finds no entity at characters {span[0]} to {span[1]}: say which type to explain there, one of "
            f"{', '.join(spec.types)}"
        )
    what = "no entity" if name is None else f"no {name}"
    raise UsageError(f"the model finds {what} in the text: give the characters and the type to explain")


def scores_at(
    spec: Spec,
    readings: Sequence[Reading],
    arrays: Sequence[Sequence[Array]],
    ranges: Sequence[Sequence[Span]],
    name: str,
) -> Array:
    """The log-odds that all words of a span belong to an entity of a type, one number for each text.

    A word's probability is the sum over the labels of the type, as in an entity's score, at its first piece. Words
    count as independent of each other, as in the network's softmax.

    Args:
        spec: of the model.
        readings: of the texts, with offsets.
        arrays: logits of each text's pieces, [token, label].
        ranges: characters of the span's words in each text.
        name: the type.
    """
    kind = spec.types.index(name)
    found = []
    for reading, rows, words in zip(readings, arrays, ranges, strict=True):
        tokens = spec.pieces(reading).tokens
        starts = tokens.offsets[:, 0]
        places = [int(np.searchsorted(starts, start)) for start, _ in words]
        probabilities = softmax(tokens.rows(rows)[places], spec.temperature)
        of_type = spec.spelling.by_type(probabilities.astype(np.float64))[:, kind].sum(axis=1)
        found.append(_log_odds(float(np.log(np.maximum(of_type, TINY)).sum())))
    return np.array(found)


def _log_odds(log_probability: float) -> float:
    """The odds of p, finite also where it rounds to 0 or 1, as log p − log(1 − p)."""
    rest = max(-np.expm1(min(log_probability, 0.0)), TINY)
    return float(log_probability - np.log(rest))


def shown(spec: Spec, score: float) -> float:
    """The probability that all words of the span belong to the type."""
    return float(1 / (1 + np.exp(-np.clip(score, -700, 700))))
