"""Inputs, and the pieces of token ids that the network reads of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Input = str | tuple[str, ...]
Offsets = list[tuple[int, int]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of a batch.

    Attributes:
        ids: [CLS], the text, [SEP]; for a pair, followed by the other text and another [SEP].
        segments: per id, 0 in the first text and 1 in the second; None for a single text.
        offsets: per id, start and end of its characters in its raw text; (0, 0) for special tokens, None if not
            requested.
        words: per id, the index of its word in its text; −1 for special tokens, None like ``offsets``.
        places: per id, its index among the tokens of its text; −1 for special tokens, None like ``offsets``.
        masked: indices of the ids that are [MASK].
    """

    ids: list[int]
    segments: list[int] | None = None
    offsets: Offsets | None = None
    words: list[int] | None = None
    places: list[int] | None = None
    masked: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One input as the network reads it.

    Attributes:
        pieces: one, or several windows over the input.
        read: number of the input's tokens in the pieces, plus the special tokens of one piece.
        cut: number of the input's tokens in no piece.
        unread: indices of the texts (0, or 1 for the second of a pair) without any token.
        input: the raw input.
        apart: whether each piece is one of several texts, and not a window.
    """

    pieces: Sequence[Piece]
    read: int
    cut: int = 0
    unread: tuple[int, ...] = ()
    input: Input = field(default="", compare=False)
    apart: bool = False

    @property
    def piece(self) -> Piece:
        """The only piece, unless the policy is ``window``.

        Raises:
            ValueError: there are several.
        """
        (piece,) = self.pieces
        return piece

    def alone(self) -> list[Reading]:
        """The readings of the texts of an input that were read apart; of any other input, this one."""
        if not self.apart:
            return [self]
        each = zip(self.pieces, texts_of(self.input), strict=True)
        return [Reading([piece], len(piece.ids), input=text) for piece, text in each]

    @property
    def inputs(self) -> Sequence[Input | None]:
        """What each piece alone is a reading of; None for a window, which is no whole text."""
        if self.apart:
            return texts_of(self.input)
        return [self.input] if len(self.pieces) == 1 else [None] * len(self.pieces)


def texts_of(one: Input) -> tuple[str, ...]:
    """The one text, or the texts of a pair or a triplet."""
    return (one,) if isinstance(one, str) else one


def query_of(one: Input) -> str:
    """The first text, which is the query for a ranker."""
    return texts_of(one)[0]


def joined(one: Input) -> str:
    """The one text, or several on lines of their own: what duplicates are compared by."""
    return "\n".join(texts_of(one))


def by_text(readings: Sequence[Reading], pieces: Iterable[T]) -> list[list[T]]:
    """Values of all pieces of all texts as those of each text.

    >>> by_text([Reading([Piece([1]), Piece([2])], 2), Reading([Piece([3])], 1)], "abc")
    [['a', 'b'], ['c']]
    """
    values = iter(pieces)
    return [[next(values) for _ in reading.pieces] for reading in readings]
