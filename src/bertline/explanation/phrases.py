"""Phrases: words that together do more, or less, than each of them does alone ("not … good").

A phrase's share is what the answer loses without all of its words, and a word's share alone is what it loses without
that word only. Both are single differences of two answers: nothing is sampled. Where words act independently, the
shares alone add up to that of the phrase; a phrase is what they do not add up in.

Phrases grow as a tree: two near words first, of which one has a large share, and then a further near word as long as it
changes what they do together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.explanation.value import OverBudget, Value

NEAR = 3  # words from one to the other, at most
MOST_WORDS = 4  # of a phrase
MOST_PHRASES = 3
LEAST = 0.25  # of what a phrase's words do alone and together: less is no phrase
GROWS = 0.5  # of what a phrase has beyond its words: a further word adds at least this part

Array = np.ndarray[Any, Any]
Places = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of an input and what they do together.

    Attributes:
        words: their places among the input's words, in order.
        share: what the answer loses without all of them.
        alone: what it loses without each of them only.
    """

    words: Places
    share: float
    alone: tuple[float, ...]

    @property
    def beyond(self) -> float:
        """The share less the sum of the shares alone."""
        return self.share - sum(self.alone)

    @property
    def holds(self) -> bool:
        """Whether its words do something together."""
        return abs(self.beyond) > LEAST * max(abs(self.share), *map(abs, self.alone))


class _Losses:
    """What the answer loses without some words; single ones, and phrases of them."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self._whole = float(value(np.ones((1, len(value)), dtype=bool))[0])

    def phrases(self, some: Sequence[Places]) -> list[Phrase]:
        """Compute them.

        Raises:
            OverBudget: they are too many.
        """
        singles = sorted({word for places in some for word in places})
        sets = [*((word,) for word in singles), *some]
        kept = np.ones((len(sets), len(self.value)), dtype=bool)
        for row, places in zip(kept, sets, strict=True):
            row[list(places)] = False
        losses = (self._whole - self.value(kept)).tolist()
        alone = dict(zip(singles, losses[: len(singles)], strict=True))
        return [
            Phrase(places, share, tuple(alone[word] for word in places))
            for places, share in zip(some, losses[len(singles) :], strict=True)
        ]


def phrases(value: Value, shares: Array, sentences: Iterable[Sequence[int]]) -> tuple[Phrase, ...]:
    """Those whose share differs most from what their words do alone, the largest difference first.

    Args:
        value: of sets of words; what is left of its budget is the most that is asked of the model.
        shares: of each word: pairs with the strongest words are tried first.
        sentences: words of a phrase are of one of them.
    """
    if value.left < 1:
        return ()
    losses = _Losses(value)
    near = _near(sentences)
    pairs = _pairs(losses, np.argsort(-np.abs(shares), kind="stable").tolist(), near)
    found: list[Phrase] = []
    for pair in sorted(pairs, key=_first):
        used = {word for phrase in found for word in phrase.words}
        if pair.holds and not used.intersection(pair.words):
            found.append(_grown(losses, pair, near, used))
        if len(found) == MOST_PHRASES:
            break
    return tuple(sorted(found, key=_first))


def _first(phrase: Phrase) -> tuple[float, Places]:
    return -abs(phrase.beyond), phrase.words


def _near(sentences: Iterable[Sequence[int]]) -> dict[int, list[int]]:
    """For each word the near ones of its sentence."""
    return {
        word: [*sentence[max(0, place - NEAR) : place], *sentence[place + 1 : place + 1 + NEAR]]
        for sentence in sentences
        for place, word in enumerate(sentence)
    }


def _pairs(losses: _Losses, words: Sequence[int], near: dict[int, list[int]]) -> list[Phrase]:
    """Each word with those near to it, as far as two thirds of the budget go: the rest is for phrases to grow."""
    least = losses.value.budget // 3
    found: dict[Places, Phrase] = {}
    for word in words:
        new = [places for other in near[word] if (places := tuple(sorted((word, other)))) not in found]
        try:
            losses.value.check(least)
            found |= {one.words: one for one in losses.phrases(new)}
        except OverBudget:
            break
    return [*found.values()]


def _grown(losses: _Losses, phrase: Phrase, near: dict[int, list[int]], used: set[int]) -> Phrase:
    """The phrase with further near words, as long as each changes what they do together."""
    while len(phrase.words) < MOST_WORDS:
        around = {other for word in phrase.words for other in near[word]} - used - {*phrase.words}
        try:
            larger = losses.phrases([tuple(sorted((*phrase.words, word))) for word in sorted(around)])
        except OverBudget:
            break
        best = max(larger, key=lambda one: abs(one.beyond - phrase.beyond), default=None)
        if best is None or abs(best.beyond - phrase.beyond) < GROWS * abs(phrase.beyond):
            break
        phrase = best
    return phrase
