"""Turn an input, a text or a pair of texts, into the pieces of token ids that the network reads.

Training, offline scoring and the server all use this module, so they read a text in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TypeVar

from bertline.text.reading import Input, Piece, Reading, texts_of
from bertline.text.tokenizer import Encoded, Tokenizer
from bertline.text.truncation import SPECIAL_TOKENS, Truncation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads inputs for one model.

    Args:
        tokenizer: the model's.
        truncation: applied to long inputs.
        offsets: whether to compute offsets, words and places, which takes time.
    """

    tokenizer: Tokenizer
    truncation: Truncation
    offsets: bool = False

    def read(self, inputs: Sequence[Input]) -> list[Reading]:
        """One reading per input, in order."""
        return read_each(self.tokenizer, [(one, self.truncation) for one in inputs], offsets=self.offsets)


def read_each(
    tokenizer: Tokenizer, inputs: Sequence[tuple[Input, Truncation]], *, offsets: bool = False
) -> list[Reading]:
    """A reading per input, each with its own truncation; all are tokenised together."""
    texts = [text for one, _ in inputs for text in texts_of(one)]
    encoded = iter(tokenizer.encode_whole(texts, offsets=offsets))
    return [_reading(tokenizer, one, [*islice(encoded, len(texts_of(one)))], truncation) for one, truncation in inputs]


def _reading(tokenizer: Tokenizer, one: Input, texts: Sequence[Encoded], truncation: Truncation) -> Reading:
    lengths = [len(one.ids) for one in texts]
    chosen = truncation.pieces(lengths)
    pieces = [_piece(tokenizer, texts, places) for places in chosen]
    # Windows overlap: a token in two of them is read once.
    some = [chosen[0][i] if len(chosen) == 1 else {*chain(*(own[i] for own in chosen))} for i in range(len(texts))]
    read = sum(map(len, some))
    unread = tuple(place for place, length in enumerate(lengths) if not length)
    return Reading(pieces, read + SPECIAL_TOKENS + len(texts) - 1, sum(lengths) - read, unread, one)


def _piece(tokenizer: Tokenizer, texts: Sequence[Encoded], chosen: Sequence[Sequence[int]]) -> Piece:
    """The piece with [CLS] and, for each text, its ``chosen`` tokens and [SEP]."""
    ids, segments = [tokenizer.cls_id], [0]
    for segment, (text, places) in enumerate(zip(texts, chosen, strict=True)):
        ids += [*_some(text.ids, places), tokenizer.sep_id]
        segments += [segment] * (len(places) + 1)
    piece = Piece(ids, segments if len(texts) > 1 else None)
    if texts[0].offsets is None:
        return piece
    offsets, words = (
        [_some(column or [], places) for column, places in zip(columns, chosen, strict=True)]
        for columns in ([text.offsets for text in texts], [text.words for text in texts])
    )
    return replace(piece, offsets=_framed(offsets, (0, 0)), words=_framed(words, -1), places=_framed(chosen, -1))


def _some(column: list[T], places: Sequence[int]) -> list[T]:
    return column if len(places) == len(column) else [column[place] for place in places]


def _framed(columns: Iterable[Sequence[T]], special: T) -> list[T]:
    return [special, *(one for column in columns for one in (*column, special))]
