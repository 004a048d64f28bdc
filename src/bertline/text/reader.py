"""Turn an input, a text or a pair of texts, into the pieces of token ids that the network reads.

Training, offline scoring and the server all use this module, so they read a text in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        apart: whether the texts of an input are pieces of their own, and not read together.
    """

    tokenizer: Tokenizer
    truncation: Truncation
    offsets: bool = False
    apart: bool = False

    def read(self, inputs: Sequence[Input]) -> list[Reading]:
        """One reading per input, in order."""
        if self.apart:
            texts = [text for one in inputs for text in texts_of(one)]
            own = iter(read_each(self.tokenizer, [(text, self.truncation) for text in texts], offsets=self.offsets))
            return [_together(one, [*islice(own, len(texts_of(one)))]) for one in inputs]
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
    chosen = truncation.pieces(lengths, tokenizer.separators)
    pieces = [_piece(tokenizer, texts, places) for places in chosen]
    # Windows overlap: a token in two of them is read once.
    some = [chosen[0][i] if len(chosen) == 1 else {*chain(*(own[i] for own in chosen))} for i in range(len(texts))]
    read = sum(map(len, some))
    unread = tuple(place for place, length in enumerate(lengths) if not length)
    special = SPECIAL_TOKENS + tokenizer.separators * (len(texts) - 1)
    return Reading(pieces, read + special, sum(lengths) - read, unread, one)


def _together(one: Input, readings: Sequence[Reading]) -> Reading:
    """The reading of an input whose texts were read apart."""
    if isinstance(one, str):
        return readings[0]
    unread = tuple(place for place, reading in enumerate(readings) if reading.unread)
    read, cut = sum(reading.read for reading in readings), sum(reading.cut for reading in readings)
    return Reading([reading.piece for reading in readings], read, cut, unread, one, apart=True)


def _piece(tokenizer: Tokenizer, texts: Sequence[Encoded], chosen: Sequence[Sequence[int]]) -> Piece:
    """The piece with [CLS], the ``chosen`` tokens of each text, [SEP] between texts and at the end."""
    between = [tokenizer.sep_id] * tokenizer.separators
    ids = _framed([_some(text.ids, places) for text, places in zip(texts, chosen, strict=True)], between)
    ids[0], ids[-1] = tokenizer.cls_id, tokenizer.sep_id
    second = len(chosen[-1]) + 1 if len(texts) > 1 else 0
    segments = [0] * (len(ids) - second) + [1] * second if second and tokenizer.second_segment else None
    mask_id = tokenizer.mask_id
    masked = [index for index, id_ in enumerate(ids) if id_ == mask_id] if mask_id in ids else ()
    piece = Piece(ids, segments, masked=masked)
    if texts[0].offsets is None:
        return piece
    offsets, words = (
        [_some(column or [], places) for column, places in zip(columns, chosen, strict=True)]
        for columns in ([text.offsets for text in texts], [text.words for text in texts])
    )
    return replace(
        piece,
        offsets=_framed(offsets, [(0, 0)] * len(between)),
        words=_framed(words, [-1] * len(between)),
        places=_framed(chosen, [-1] * len(between)),
    )


def _some(column: list[T], places: Sequence[int]) -> list[T]:
    return column if len(places) == len(column) else [column[place] for place in places]


def _framed(columns: Sequence[Sequence[T]], between: list[T]) -> list[T]:
    """Columns of several texts as one, with ``between`` between them and one of its values at both ends."""
    first, *others = columns
    return [between[0], *first, *(one for column in others for one in (*between, *column)), between[0]]
