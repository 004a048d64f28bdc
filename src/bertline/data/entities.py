"""Entities: spans of characters with a type, as tables write them.

A value is a list with an object per entity, ``{"start": 0, "end": 5, "label": "person"}``, or a list of three,
``[0, 5, "person"]``. Offsets count characters (code points) of the raw text from 0, and ``end`` is exclusive. A column
of CSV holds the same as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bertline.data.columns import name_of_value
from bertline.data.json_text import JsonFault, parse
from bertline.data.rows import BadRow, Row, fault_of

ENTITY_NAMES = ("entities", "spans")  # of columns, in any case
_TYPE_NAMES = ("label", "type", "entity_group", "entity")
_TAG = re.compile(r"O|[BIESLU]-\S.*", re.DOTALL)
_LAST, _SINGLE, _FIRST = "EL", "SU", "BSU"  # BILOU calls E and S of BIOES L and U


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """The characters of a text from ``start`` up to ``end``, and their type, ``label``."""

    start: int
    end: int
    label: str

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {"start": self.start, "end": self.end, "label": self.label}


class EntityFault(ValueError):
    """A value that is not a list of entities: ``reason`` is common to all such rows, ``detail`` is this one's."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason, self.detail = reason, detail


Spelt = Callable[[str, object], None]  # gets each type and the value that spells it


def row_entities(row: Row, column: str, text: str, spelt: Spelt | None = None) -> tuple[Entity, ...] | BadRow:
    """The entities in a column of a row, in their order in ``text``; a null means that there are none."""
    value = row.value(column)
    if isinstance(value, BadRow):
        return value
    try:
        return entities_of(value, text, spelt)
    except EntityFault as fault:
        return BadRow(row.line, f"{fault.reason} in column {column!r}", fault.detail)


def entities_of(value: object, text: str, spelt: Spelt | None = None) -> tuple[Entity, ...]:
    """The entities of a value, in their order in ``text``.

    >>> entities_of([[9, 12, "place"], [0, 5, "person"]], "Alice in York")
    (Entity(start=0, end=5, label='person'), Entity(start=9, end=12, label='place'))

    Raises:
        EntityFault: the value is not a list of entities, or an entity lies outside the text or overlaps another.
    """
    if isinstance(value, str):
        try:
            value = parse(value) if value.strip() else None
        except JsonFault as fault:
            raise EntityFault("not a JSON list of entities", str(fault)) from None
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise EntityFault("not a list of entities", fault_of(value))
    entities = sorted(_entity(one, place, text, spelt) for place, one in enumerate(value))
    for one, other in pairwise(entities):
        if other.start < one.end:
            raise EntityFault("overlapping entities", f"{_shown(one)} and {_shown(other)}")
    return tuple(entities)


def _entity(value: object, place: int, text: str, spelt: Spelt | None) -> Entity:
    which = f"entity {place + 1}"
    if isinstance(value, Mapping):
        start, end = value.get("start"), value.get("end")
        label = next((value[name] for name in _TYPE_NAMES if name in value), None)
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3:
        start, end, label = value
    else:
        raise EntityFault("an entity without start, end and label", which)
    for name, offset in (("start", start), ("end", end)):
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise EntityFault(f"an entity whose {name} is not an integer", which)
    try:
        kind = name_of_value(label)
    except TypeError:
        kind = None
    if kind is None:
        raise EntityFault("an entity without a label", which)
    if spelt is not None:
        spelt(kind, label)
    one = Entity(int(str(start)), int(str(end)), kind)
    if not 0 <= one.start < one.end <= len(text):
        raise EntityFault("an entity outside the text", f"{_shown(one)} of {len(text)} characters")
    claimed = value.get("text", value.get("word")) if isinstance(value, Mapping) else None
    if isinstance(claimed, str) and claimed != text[one.start : one.end]:
        raise EntityFault(
            "an entity whose text is not at its offsets", f"{_shown(one)} is {text[one.start : one.end]!r}"
        )
    return one


def _shown(one: Entity) -> str:
    return f"{one.label} {one.start}–{one.end}"


def is_tag(text: str) -> bool:
    """Whether ``text`` is a tag of BIO, IOB1, BIOES or BILOU: O, or a prefix, a hyphen and a type."""
    return _TAG.fullmatch(text) is not None


def chunks(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The first word, the word after the last, and the type of each entity in the tags of a sentence.

    The rules are those of CoNLL's ``conlleval``, which reads IOB1 and BIO alike: an entity begins at B-, and at an I-
    or E- that cannot continue the entity before it. An I- without its B- is therefore kept.

    >>> chunks(["I-x", "I-x", "O", "B-x", "I-y"])
    [(0, 2, 'x'), (3, 4, 'x'), (4, 5, 'y')]
    """
    out: list[tuple[int, int, str]] = []
    begin, open_type = 0, ""
    for place, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if open_type and (prefix in _FIRST or kind != open_type):  # O has no type
            out.append((begin, place, open_type))
            open_type = ""
        if kind and not open_type:
            begin, open_type = place, kind
        if open_type and (prefix in _LAST or prefix in _SINGLE):
            out.append((begin, place + 1, open_type))
            open_type = ""
    return [*out, (begin, len(tags), open_type)] if open_type else out
