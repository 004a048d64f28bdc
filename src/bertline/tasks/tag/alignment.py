"""From characters of the raw text to the units that get a label, and back.

A unit is the first piece of a word, or every piece. A word is what the tokenizer splits at white space and punctuation.
Characters that the tokenizer drops (combining marks, joiners, marks of direction) are in no piece. They belong to the
word before them, or to the word after them at the beginning of the text or after white space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bertline.data.entities import Entity
from bertline.tasks.tag.scheme import Scheme
from bertline.tasks.tag.windows import Tokens

UNLABELLED = -100  # the target of a piece without a label, as in the losses of torch and transformers

Integers = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Pieces:
    """The tokens of a text and the characters that they stand for.

    Attributes:
        text: as it came.
        tokens: of the text.
        label_all: whether every piece is a unit; otherwise only the first piece of a word is.
    """

    text: str
    tokens: Tokens
    label_all: bool = False

    @cached_property
    def follows(self) -> Flags:
        """Whether the token before this one in the text was read too, [token]; False for the first token."""
        out = np.zeros(len(self.tokens.ranks), dtype=bool)
        out[1:] = np.diff(self.tokens.ranks) == 1
        return out

    @cached_property
    def continues(self) -> Flags:
        """Whether a token continues the word of the token before it, [token]."""
        out = self.follows.copy()
        out[1:] &= np.diff(self.tokens.words) == 0
        return out

    @cached_property
    def words(self) -> Integers:
        """The first token of each word, [word]."""
        return np.flatnonzero(~self.continues)

    @cached_property
    def units(self) -> Integers:
        """The tokens that get a label, [unit]."""
        return np.arange(len(self.continues)) if self.label_all else self.words

    @cached_property
    def _last(self) -> Integers:
        """The last token of each word, [word]."""
        return np.asarray(np.append(self.words, len(self.continues))[1:] - 1)

    def spans(self, entities: Sequence[Entity], types: Sequence[str]) -> list[tuple[int, int, int]]:
        """The first unit, the unit after the last, and the place in ``types`` of each entity.

        An entity takes every word of which it has a character. An entity without a word, whose first word belongs
        to the entity before it, or of another type has no span, because a word has one label: ``misfits`` lists those.
        """
        starts, ends = self.tokens.offsets[self.words, 0], self.tokens.offsets[self._last, 1]
        out: list[tuple[int, int, int]] = []
        free = 0
        for entity in entities:
            first = int(np.searchsorted(ends, entity.start, side="right"))
            after = int(np.searchsorted(starts, entity.end, side="left"))
            if free <= first < after and entity.label in types:
                out.append((self._unit(first), self._unit(after), types.index(entity.label)))
                free = after
        return out

    def misfits(self, entities: Sequence[Entity]) -> list[Entity]:
        """The entities that the labels of the text's words cannot give back with exactly their characters.

        Such an entity begins or ends inside a word, shares a word with another one, or was not read.
        """
        types = sorted({entity.label for entity in entities})
        spans = self.spans(entities, types)
        exact = {(*self.characters(first, after), types[kind]) for first, after, kind in spans}
        return [entity for entity in entities if (entity.start, entity.end, entity.label) not in exact]

    def targets(self, entities: Sequence[Entity], scheme: Scheme) -> Integers:
        """The label of each token, [token]; ``UNLABELLED`` for those that are not units."""
        out = np.full(len(self.continues), UNLABELLED, dtype=np.int64)
        out[self.units] = scheme.spell(len(self.units), self.spans(entities, scheme.types))
        return out

    def characters(self, first: int, after: int) -> tuple[int, int]:
        """The characters of the units from ``first`` up to ``after``, with those that the tokenizer drops."""
        word, last = self._word(first), self._word(after - 1)
        offsets = self.tokens.offsets
        start, end = int(offsets[self.words[word], 0]), int(offsets[self._last[last], 1])
        begin, (before, beyond) = start, self._limits(word, last, start, end)
        while start > before and not self.text[start - 1].isspace():
            start -= 1
        while end < beyond and not self.text[end].isspace():
            end += 1
        touches = word > 0 and start == before  # dropped characters after a word belong to that word
        return begin if touches else start, end

    def _limits(self, word: int, last: int, start: int, end: int) -> tuple[int, int]:
        """How far the characters may reach: to the neighbouring words, and nowhere beside a token that is not read."""
        offsets, ranks = self.tokens.offsets, self.tokens.ranks
        first, final = self.words[word], self._last[last]
        before, beyond = start, end
        if word and self.follows[first]:
            before = int(offsets[first - 1, 1])
        elif ranks[first] == 0:
            before = 0
        if last + 1 < len(self.words) and self.follows[final + 1]:
            beyond = int(offsets[final + 1, 0])
        elif ranks[final] + 1 == self.tokens.total:
            beyond = len(self.text)
        return before, beyond

    def _unit(self, word: int) -> int:
        if not self.label_all:
            return word
        return int(self.words[word]) if word < len(self.words) else len(self.continues)

    def _word(self, unit: int) -> int:
        return int(self.words.searchsorted(unit, side="right")) - 1 if self.label_all else unit
