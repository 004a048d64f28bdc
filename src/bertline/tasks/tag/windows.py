"""The tokens of a text that was read in overlapping windows, as if it had been read at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bertline.text.reading import Piece, Reading
from bertline.text.truncation import SPECIAL_TOKENS

Scores = Float[np.ndarray[Any, Any], "tokens labels"]
PieceRows = Float[np.ndarray[Any, Any], "_ labels"]
Numbers = Int[np.ndarray[Any, Any], " tokens"]
Starts = Sequence[int] | Int[np.ndarray[Any, Any], " windows"]


@dataclass(frozen=True)
class Tokens:
    """The tokens that were read of a text, each once, without special tokens.

    Attributes:
        flat: row of each token among the rows of all pieces, one piece after the other.
        ids: of each token.
        offsets: first character and character after the last of each token, [token, 2].
        words: number of each token's word.
        places: number of each token among all tokens of the text.
        ranks: the same, of those that count: ``visible`` leaves some out.
        total: tokens of the text, the unread ones included.
    """

    flat: Numbers
    ids: Numbers
    offsets: Int[np.ndarray[Any, Any], "tokens 2"]
    words: Numbers
    places: Numbers
    ranks: Numbers
    total: int

    def visible(self, text: str) -> Tokens:
        """The tokens with characters, without those of white space alone, which byte-level tokenizers have."""
        blank = np.array([not text[start:end].strip() for start, end in self.offsets.tolist()], dtype=bool)
        if not blank.any():
            return self
        keep, ranks = ~blank, self.ranks - np.cumsum(blank)
        flat, ids, offsets, words, places, ranks = (
            one[keep] for one in (self.flat, self.ids, self.offsets, self.words, self.places, ranks)
        )
        return Tokens(flat, ids, offsets, words, places, ranks, self.total - int(blank.sum()))

    def rows(self, pieces: Sequence[PieceRows]) -> Scores:
        """The row of each token, of those of each piece (special tokens included)."""
        return np.concatenate(pieces)[self.flat]


def tokens_of(reading: Reading) -> Tokens:
    """The tokens of a single text, each from the window in which it has the most context.

    Args:
        reading: with offsets.
    """
    pieces = reading.pieces
    starts = np.cumsum([0, *(len(piece.ids) for piece in pieces[:-1])])
    own = [np.arange(1, len(piece.ids) - 1) for piece in pieces]
    if len(pieces) == 1:
        flat = own[0]
    else:
        first = np.array([_places(piece)[1] for piece in pieces])
        source = sources([len(places) for places in own], first)
        flat = starts[source] + 1 + np.arange(len(source)) - first[source]
    places, ids, words = (
        np.array([*chain(*map(column, pieces))], dtype=np.int64)[flat]
        for column in (_places, lambda piece: piece.ids, lambda piece: piece.words)
    )
    offsets = np.array([pair for piece in pieces for pair in piece.offsets or ()], dtype=np.int64).reshape(-1, 2)
    total = reading.read - SPECIAL_TOKENS + reading.cut
    return Tokens(flat, ids, offsets[flat], words, places, places, total)


def _places(piece: Piece) -> list[int]:
    if piece.places is None:
        raise ValueError("a reading without offsets: entities have no characters")
    return piece.places


def sources(lengths: Sequence[int], starts: Starts) -> Numbers:
    """The number of the window that each token of a text takes its rows from.

    A token's context is its distance to the nearer edge of the window. The edges of the text do not count, because
    there is nothing beyond them. The earlier of two equal windows is taken.

    Args:
        lengths: tokens of each window, without special tokens.
        starts: place of each window's first token in the text; together the windows cover the text.

    >>> sources([4, 4], [0, 2]).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    begin = np.asarray(starts)[:, None]
    end = begin + np.asarray(lengths)[:, None]
    size = int(end.max())
    places = np.arange(size)[None, :]
    far = 2 * size
    left = np.where(begin == 0, far, places - begin)
    right = np.where(end == size, far, end - 1 - places)
    context = np.where((places >= begin) & (places < end), np.minimum(left, right), -1)
    return np.asarray(context.argmax(axis=0))
