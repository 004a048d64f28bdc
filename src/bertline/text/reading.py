"""An input as the network reads it: a text, or a pair of texts, as one or several pieces of ids.

Training, offline scoring and the server all read through this file, so they cannot read one text in two ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from bertline.text.tokenizer import Encoded, Tokenizer
from bertline.text.truncation import SPECIAL_TOKENS, Truncation

Input = str | tuple[str, str]
Offsets = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of a batch.

    Attributes:
        ids: [CLS], the text, [SEP]; of a pair, then the other text and another [SEP].
        segments: of each id, 0 in the first text and 1 in the second; None for a single text.
        offsets: of each id, the characters of the raw text that it stands for, from the first up to the second;
            (0, 0) for special tokens, None where nobody asked for them. Those of a pair's second text count in that
            text.
    """

    ids: list[int]
    segments: list[int] | None = None
    offsets: Offsets | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One input as the network reads it.

    Attributes:
        pieces: several are windows over one input.
        read: tokens of the input that are in a piece, and the special tokens of one piece.
        cut: tokens of the input that are in none.
        unread: which texts of the input (0, or 1 for the second of a pair) have no token at all.
    """

    pieces: Sequence[Piece]
    read: int
    cut: int = 0
    unread: tuple[int, ...] = ()

    @property
    def piece(self) -> Piece:
        """The only piece, where the policy is not ``window``.

        Raises:
            ValueError: there are several.
        """
        (piece,) = self.pieces
        return piece


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads inputs as one model does.

    Args:
        tokenizer: the model's.
        truncation: what becomes of long inputs.
        offsets: whether pieces have them; they cost time.
    """

    tokenizer: Tokenizer
    truncation: Truncation
    offsets: bool = False

    def read(self, inputs: Sequence[Input]) -> list[Reading]:
        """A reading per input, in their order."""
        return read_each(self.tokenizer, [(one, self.truncation) for one in inputs], offsets=self.offsets)


def read_each(
    tokenizer: Tokenizer, inputs: Sequence[tuple[Input, Truncation]], *, offsets: bool = False
) -> list[Reading]:
    """A reading per input, each with its own truncation; all are tokenised together."""
    texts = [text for one, _ in inputs for text in texts_of(one)]
    encoded = iter(tokenizer.encode_whole(texts, offsets=offsets))
    return [_reading(tokenizer, [*islice(encoded, len(texts_of(one)))], truncation) for one, truncation in inputs]


def texts_of(one: Input) -> tuple[str, ...]:
    """The one text, or the two texts of a pair."""
    return (one,) if isinstance(one, str) else one


def _reading(tokenizer: Tokenizer, texts: Sequence[Encoded], truncation: Truncation) -> Reading:
    lengths = [len(one.ids) for one in texts]
    chosen = truncation.pieces(lengths)
    pieces = [_piece(tokenizer, [*map(_some, texts, places)]) for places in chosen]
    # Windows overlap: a token in two of them is read once.
    some = [chosen[0][i] if len(chosen) == 1 else {*chain(*(one[i] for one in chosen))} for i in range(len(texts))]
    read = sum(map(len, some))
    unread = tuple(place for place, length in enumerate(lengths) if not length)
    return Reading(pieces, read + SPECIAL_TOKENS + len(texts) - 1, sum(lengths) - read, unread)


def _some(text: Encoded, places: Sequence[int]) -> Encoded:
    """The tokens at ``places``."""
    if len(places) == len(text.ids):
        return text
    offsets = None if text.offsets is None else [text.offsets[place] for place in places]
    return Encoded([text.ids[place] for place in places], offsets)


def _piece(tokenizer: Tokenizer, texts: Sequence[Encoded]) -> Piece:
    ids, segments = [tokenizer.cls_id], [0]
    for segment, text in enumerate(texts):
        ids += [*text.ids, tokenizer.sep_id]
        segments += [segment] * (len(text.ids) + 1)
    offsets = _framed(text.offsets for text in texts) if texts[0].offsets is not None else None
    return Piece(ids, segments if len(texts) > 1 else None, offsets)


def _framed(offsets: Iterable[Offsets | None]) -> Offsets:
    return [(0, 0), *(place for own in offsets for place in (*(own or ()), (0, 0)))]
