"""The words of an input, and the input without some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bertline.explanation.settings import Removal
from bertline.text import Input, Tokenizer
from bertline.text.reading import texts_of

APOSTROPHES = "'’"
ENDS = ".!?…。\uff01\uff1f"  # of a sentence; the last two are the full-width ! and ?


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a mark of punctuation.

    Attributes:
        text: as it is written.
        side: index of its text in the input: 1 in the second text of a pair.
        start: of its characters in that text.
        end: after them.
    """

    text: str
    side: int
    start: int
    end: int


def words_of(one: Input, tokenizer: Tokenizer) -> list[Word]:
    """The words of an input as its tokenizer splits it, with what follows an apostrophe (don't, l'eau) in one word.

    Characters of which the tokenizer makes no token belong to no word.
    """
    found: list[Word] = []
    for side, text in enumerate(texts_of(one)):
        encoded = tokenizer.encode_whole([text], offsets=True)[0]
        assert encoded.offsets is not None
        assert encoded.words is not None
        places: list[tuple[int, int]] = []
        last = None
        for (start, end), word in zip(encoded.offsets, encoded.words, strict=True):
            if word == last or (places and _contracted(text, places[-1], start)):
                places[-1] = (places[-1][0], max(end, places[-1][1]))
            else:
                places.append((start, end))
            last = word
        found += [Word(text[start:end], side, start, end) for start, end in places if end > start]
    return found


def _contracted(text: str, before: tuple[int, int], start: int) -> bool:
    """Whether a token that follows without a space belongs to the word before it, because of an apostrophe."""
    if before[1] != start:
        return False
    word, sign = text[before[0] : start], text[start]
    if sign in APOSTROPHES:
        return word[-1].isalpha() and text[start + 1 : start + 2].isalpha()
    return sign.isalpha() and word[-1] in APOSTROPHES and len(word) > 1


def without(one: Input, words: Sequence[Word], kept: Sequence[bool], removal: Removal, mask: str) -> Input:
    """The input without the words that are not kept.

    Args:
        one: the input.
        words: all its words, in their order.
        kept: a flag for each of them.
        removal: ``delete`` takes a word's characters out, ``mask`` puts ``mask`` in their place.
        mask: the tokenizer's [MASK].

    >>> words = [Word("not", 0, 0, 3), Word("good", 0, 4, 8), Word(".", 0, 8, 9)]
    >>> without("not good.", words, [False, True, True], "delete", "[MASK]")
    'good.'
    >>> without("not good.", words, [False, True, True], "mask", "[MASK]")
    '[MASK] good.'
    """
    texts = []
    for side, text in enumerate(texts_of(one)):
        parts, end = [], 0
        for word, stays in zip(words, kept, strict=True):
            if word.side == side and not stays:
                parts += [text[end : word.start], f" {mask} " if removal == "mask" else ""]
                end = word.end
        texts.append(" ".join("".join([*parts, text[end:]]).split()) if parts else text)
    return texts[0] if isinstance(one, str) else tuple(texts)


def sentences_of(words: Sequence[Word], texts: Sequence[str]) -> list[list[int]]:
    """The words of each sentence, by their indices: a sentence ends at its mark, at a line break, and with its text.

    >>> words = [Word("Good", 0, 0, 4), Word(".", 0, 4, 5), Word("Long", 0, 6, 10), Word("!", 0, 10, 11)]
    >>> sentences_of(words, ["Good. Long!"])
    [[0, 1], [2, 3]]
    """
    found: list[list[int]] = []
    ended = True
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        broken = before is not None and (before.side != word.side or "\n" in texts[word.side][before.end : word.start])
        mark = word.text[0] in ENDS
        if not found or broken or (ended and not mark):
            found.append([])
        found[-1].append(place)
        ended = mark
    return found
