"""What a changed text must not change about a tagger's answer: the types of its entities, in their order.

Their characters and words may: a name is exchanged, or an address stands before it.
"""

from __future__ import annotations

from difflib import SequenceMatcher

from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.spec import Spec


def same(spec: Spec, before: Answer, after: Answer) -> bool:
    """Whether both have entities of the same types in the same order.

    >>> same(Spec(types=("place",)), Answer((), 3, 0), Answer((), 4, 0))
    True
    """
    return _types(before) == _types(after)


def moved(spec: Spec, before: Answer, after: Answer) -> float:
    """The part of the types that is different, 0 to 1."""
    return 1 - SequenceMatcher(None, _types(before), _types(after), autojunk=False).ratio()


def said(spec: Spec, answer: Answer) -> tuple[str, float | None]:
    """The entities with their types."""
    entities = [f"{one.text} ({one.entity.label})" for one in answer.entities]
    return ", ".join(entities) or "no entity", None


def _types(answer: Answer) -> list[str]:
    return [one.entity.label for one in answer.entities]
