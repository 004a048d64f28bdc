"""Trivial answers: the most frequent label or set, the mean, and the usual type of each word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from bertline.data.entities import Entity
from bertline.data.labels import ordered

_WORD = re.compile(r"\w+|[^\w\s]")

Entities = Sequence[Entity]  # of one text, in its order


def commonest(labels: Sequence[str]) -> str:
    """The most frequent label; among equally frequent ones, the first in order.

    >>> commonest(["b", "c", "a", "b", "a"])
    'a'
    """
    counts = Counter(labels)
    return max(ordered(counts), key=lambda label: counts[label])


def commonest_set(labels: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The most frequent non-empty set of labels; among equally frequent ones, the first in the order of labels.

    >>> commonest_set([["b", "a"], [], [], [], ["a", "b"]])
    ('a', 'b')
    """
    counts = Counter(tuple(ordered({*names})) for names in labels if names)
    return max(sorted(counts), key=lambda names: counts[names], default=())


def mean(numbers: Sequence[float]) -> float:
    """The mean."""
    return sum(numbers) / len(numbers)


def types_of_words(texts: Sequence[str], entities: Sequence[Entities]) -> dict[str, str]:
    """The type that each word most often has, of the words that are mostly in an entity.

    >>> types_of_words(["Rome in May", "in Rome"], [[Entity(0, 4, "place")], [Entity(3, 7, "place")]])
    {'Rome': 'place'}
    """
    counts: dict[str, Counter[str]] = {}
    for text, text_entities in zip(texts, entities, strict=True):
        for word in _WORD.finditer(text):
            kind = next((entity.label for entity in text_entities if entity.start <= word.start() < entity.end), "")
            counts.setdefault(word.group(), Counter())[kind] += 1
    usual = {word: max(sorted(kinds), key=lambda kind: kinds[kind]) for word, kinds in counts.items()}
    return {word: kind for word, kind in usual.items() if kind}


def entities_by_word(text: str, types: Mapping[str, str]) -> tuple[Entity, ...]:
    """Entities of a text by the usual type of each word; neighbours of one type are one entity.

    >>> entities_by_word("Ada Byron saw Rome", {"Ada": "person", "Byron": "person", "Rome": "place"})
    (Entity(start=0, end=9, label='person'), Entity(start=14, end=18, label='place'))
    """
    out: list[Entity] = []
    last = ""
    for word in _WORD.finditer(text):
        kind = types.get(word.group(), "")
        if kind and kind == last:
            out[-1] = Entity(out[-1].start, word.end(), kind)
        elif kind:
            out.append(Entity(word.start(), word.end(), kind))
        last = kind
    return tuple(out)
