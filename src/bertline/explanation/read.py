"""The part of an input that a model reads, where truncation cuts the rest.

What is cut must not come into view when other words go: it would get shares, although the answer cannot rest on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import get_args

from bertline.explanation.words import Word, words_of
from bertline.text import Input, Policy, Reader, Reading, Tokenizer, Truncation
from bertline.text.reading import Piece, texts_of
from bertline.text.truncation import SHORTEST_TOKENS


@dataclass(frozen=True, slots=True)
class ReadPart:
    """What a model reads of an input.

    Attributes:
        one: the input without the words that were cut; the model reads it as it reads the whole.
        words: of ``one``.
        whole: the same words, as they are in the whole input.
    """

    one: Input
    words: Sequence[Word]
    whole: Sequence[Word]


def read_part(one: Input, reading: Reading, tokenizer: Tokenizer) -> ReadPart:
    """The part of an input that was read.

    That is the whole input where nothing was cut, and where a part of it would not be read in the same way.

    Args:
        one: the input.
        reading: of it.
        tokenizer: that read it.
    """
    words = words_of(one, tokenizer)
    reader = _reader(one, reading, tokenizer) if reading.cut else None
    if reader is not None:
        seen = _seen(words, reader.read([one])[0].pieces)
        part = _without_cut(one, words, seen)
        own, same = words_of(part, tokenizer), [word for word, there in zip(words, seen, strict=True) if there]
        alike = [word.text for word in own] == [word.text for word in same]
        if alike and _ids(reader.read([part])[0]) == _ids(reading):
            return ReadPart(part, own, same)
    return ReadPart(one, words, words)


def sides_of(piece: Piece) -> list[int]:
    """The index of each token's text in the input; −1 for special tokens. The piece has places."""
    assert piece.places is not None
    sides, side = list[int](), -1
    for special, row in groupby(piece.places, key=lambda place: place < 0):
        side += not special
        sides += [-1 if special else side for _ in row]
    return sides


def _ids(reading: Reading) -> list[list[int]]:
    return [list(piece.ids) for piece in reading.pieces]


def _reader(one: Input, reading: Reading, tokenizer: Tokenizer) -> Reader | None:
    """One that reads the input so; several may, and any of them says which tokens the network got."""
    most = max((len(piece.ids) for piece in reading.pieces), default=0)
    if most < SHORTEST_TOKENS:
        return None
    readers = (Reader(tokenizer, Truncation(most, policy), offsets=True) for policy in get_args(Policy))
    return next((reader for reader in readers if _ids(reader.read([one])[0]) == _ids(reading)), None)


def _seen(words: Sequence[Word], pieces: Sequence[Piece]) -> list[bool]:
    """Whether a token of each word was read."""
    tokens = set[tuple[int, int]]()
    for piece in pieces:
        assert piece.offsets is not None
        tokens |= {(side, start) for side, (start, _) in zip(sides_of(piece), piece.offsets, strict=True)}
    return [any((word.side, start) in tokens for start in range(word.start, word.end)) for word in words]


def _without_cut(one: Input, words: Sequence[Word], seen: Sequence[bool]) -> Input:
    """The input without the words that were not read; what stood behind them stays, and at least a space."""
    texts = []
    for side, text in enumerate(texts_of(one)):
        left, end = "", 0
        own = [(word, there) for word, there in zip(words, seen, strict=True) if word.side == side]
        for there, row in groupby(own, key=lambda pair: pair[1]):
            cut = [word for word, _ in row]
            if there:
                continue
            left += text[end : cut[0].start].rstrip()
            end = cut[-1].end
            left += " " if left and not text[end : end + 1].isspace() else ""
        texts.append(left + text[end:])
    return texts[0] if isinstance(one, str) else tuple(texts)
