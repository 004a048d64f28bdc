"""Words as BERT's tokenizer has them, for tokenizers that split texts otherwise."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def words_of(text: str, offsets: Sequence[tuple[int, int]], words: Sequence[int | None]) -> list[int]:
    """The index of each token's word: a word ends where the tokenizer ends it, and at every punctuation mark.

    >>> words_of("Paris, so", [(0, 3), (3, 5), (5, 6), (7, 9)], [0, 0, 0, 1])
    [0, 0, 1, 2]
    """
    out: list[int] = []
    word, last, end, begin = -1, None, 0, -1
    for (start, after), own in zip(offsets, words, strict=True):
        inside = own == last and (start == begin or not _splits(text, start, end))
        word += not inside
        out.append(word)
        last, begin, end = own, start, after
    return out


def _splits(text: str, start: int, end: int) -> bool:
    """Whether a token that starts at ``start`` begins a word, after one that ended at ``end``."""
    return any(unicodedata.category(one)[0] == "P" for one in text[max(0, end - 1) : end] + text[start : start + 1])
