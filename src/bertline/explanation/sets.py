"""What the model says of an input of which some words stay: of a whole text, or of the label of a span in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float

from bertline.explanation.settings import Removal
from bertline.explanation.words import Word, without
from bertline.text import Input

Kept = Bool[np.ndarray[Any, Any], "sets words"]
Values = Float[np.ndarray[Any, Any], " sets"]
Ranges = list[tuple[int, int]]  # of characters, one for each word of a span


class Sets(Protocol):
    """The score of an input for any set of its words."""

    @property
    def words(self) -> Sequence[Word]:
        """All of them, in their order."""
        ...

    def __call__(self, kept: Kept, removal: Removal) -> Values:
        """The score of each set of words that stay."""
        ...


class TextSets:
    """Scores of whole inputs.

    Args:
        one: the input.
        words: of it.
        scores: from inputs to scores.
        mask: the tokenizer's [MASK].
    """

    def __init__(
        self, one: Input, words: Sequence[Word], scores: Callable[[Sequence[Input]], Values], mask: str = "[MASK]"
    ) -> None:
        self.one, self.words, self._scores, self._mask = one, words, scores, mask

    def input_of(self, kept: Bool[np.ndarray[Any, Any], " words"], removal: Removal) -> Input:
        """The input of which some words stay."""
        return without(self.one, self.words, kept.tolist(), removal, self._mask)

    def __call__(self, kept: Kept, removal: Removal) -> Values:
        """The score of each set."""
        return self._scores([self.input_of(row, removal) for row in kept])


class SpanSets:
    """Scores of a span of a text. Its own words are always replaced by [MASK], so that it keeps its place.

    Args:
        text: the text.
        words: of it.
        span: indices of the span's words, in a row.
        scores: from texts, each with the characters of the span's words, to scores.
        mask: the tokenizer's [MASK].
    """

    def __init__(
        self,
        text: str,
        words: Sequence[Word],
        span: range,
        scores: Callable[[Sequence[str], Sequence[Ranges]], Values],
        mask: str = "[MASK]",
    ) -> None:
        self.text, self.words, self._span, self._scores, self._mask = text, words, span, scores, mask

    def placed(self, kept: Bool[np.ndarray[Any, Any], " words"], removal: Removal) -> tuple[str, Ranges]:
        """The text of which some words stay, and the characters of the span's words in it."""
        first, after = self.words[self._span.start].start, self.words[self._span.stop - 1].end
        before = self._outside(kept, 0, first, self._span.start, removal)
        text, ranges = before, Ranges()
        end = first
        for place in self._span:
            word = self.words[place]
            text += self.text[end : word.start]
            shown = word.text if kept[place] else self._mask
            ranges.append((len(text), len(text) + len(shown)))
            text, end = text + shown, word.end
        return text + self._outside(kept, after, len(self.text), self._span.stop, removal), ranges

    def _outside(self, kept: Any, start: int, end: int, first: int, removal: Removal) -> str:
        """The characters before or after the span, of which some words stay."""
        inside = [(word, place) for place, word in enumerate(self.words) if start <= word.start and word.end <= end]
        stays = [bool(kept[place]) for _, place in inside]
        text = self.text[start:end]
        if all(stays):
            return text
        shifted = [Word(word.text, 0, word.start - start, word.end - start) for word, _ in inside]
        left = without(text, shifted, stays, removal, self._mask)
        assert isinstance(left, str)
        if not left:
            return ""
        return f"{left} " if start < self.words[self._span.start].start else f" {left}"

    def __call__(self, kept: Kept, removal: Removal) -> Values:
        """The score of each set."""
        texts, ranges = zip(*(self.placed(row, removal) for row in kept), strict=True)
        return self._scores(texts, ranges)
