"""What a model learns of a row: one label, several labels, a number or entities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bertline.data.entities import Entity

Target = str | float | tuple[str, ...] | tuple[Entity, ...]

NUMBER_STRATA = 10


def names_of(target: Target) -> tuple[str, ...]:
    """The labels in a target, or the types of its entities; none of a number.

    >>> names_of("good"), names_of((Entity(0, 5, "person"),)), names_of(3.5)
    (('good',), ('person',), ())
    """
    if isinstance(target, str):
        return (target,)
    if isinstance(target, float):
        return ()
    return tuple(one if isinstance(one, str) else one.label for one in target)


def entities_in(target: Target) -> tuple[Entity, ...]:
    """The entities of a target; none of a target of another kind."""
    return tuple(one for one in target if isinstance(one, Entity)) if isinstance(target, tuple) else ()


def renamed(target: Target, name: Callable[[str], str]) -> Target:
    """A target with other names for its labels or types.

    >>> renamed(("Good",), str.lower), renamed((Entity(0, 5, "Person"),), str.lower)
    (('good',), (Entity(start=0, end=5, label='person'),))
    """
    if isinstance(target, str):
        return name(target)
    if isinstance(target, float):
        return target
    if entities := entities_in(target):
        return tuple(replace(one, label=name(one.label)) for one in entities)
    return tuple(map(name, names_of(target)))


def strata(targets: Sequence[Target]) -> list[tuple[str, ...]]:
    """What each part of a split is to have its share of: labels and types, or tenths of the numbers by rank.

    >>> strata([0.5, 7.0])
    [('0',), ('5',)]
    """
    if not any(isinstance(one, float) for one in targets):
        return [tuple(dict.fromkeys(names_of(one))) for one in targets]
    rank = {number: place for place, number in enumerate(sorted(map(_number, targets)))}  # equal numbers share one
    return [(str(NUMBER_STRATA * rank[_number(one)] // len(targets)),) for one in targets]


def to_json(target: Target) -> str | float | list[str | dict[str, object]]:
    """A target as plain JSON values, as ``reference`` and fingerprints write it."""
    if isinstance(target, str | float):
        return target
    return [one if isinstance(one, str) else one.to_json() for one in target]


def _number(target: Target) -> float:
    assert isinstance(target, float)
    return target
