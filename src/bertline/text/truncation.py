"""Truncation: which tokens of an input that is too long are read.

The default keeps the first and the last tokens: on IMDB, BERT-base has an accuracy of 94.0 % with 256 tokens of
head and tail, and of 92.4 % with the first 256 (Sun et al. 2019, "How to Fine-Tune BERT for Text
Classification", introduced the policy with 128 + 382 of 512 tokens, a quarter of the room for the head).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bertline.errors import SettingsError
from bertline.text.windows import windows

Policy = Literal["head_tail", "head", "tail", "window", "error"]

SPECIAL_TOKENS = 2  # [CLS] and [SEP]; a pair has one or two more [SEP] between its texts
SHORTEST_TOKENS = 4  # [CLS], one of the head, one of the tail, [SEP]
HEAD_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Truncation:
    """At most ``max_tokens`` ids in a piece (special tokens count), chosen by ``policy``.

    ``window`` reads everything, in several pieces. ``error`` truncates like ``head_tail``, and the caller rejects
    truncated inputs.

    Raises:
        SettingsError: ``max_tokens`` leaves no room for a first and a last token.
    """

    max_tokens: int = 256
    policy: Policy = "head_tail"

    def __post_init__(self) -> None:
        if self.max_tokens < SHORTEST_TOKENS:
            raise SettingsError(
                f"max_tokens is {self.max_tokens}: give at least {SHORTEST_TOKENS} "
                "([CLS], one token of the head, one of the tail, [SEP])"
            )

    def pieces(self, lengths: Sequence[int], separators: int = 1) -> list[tuple[Sequence[int], ...]]:
        """The indices of the tokens in each piece, for each text of the input.

        Windows over a pair cover its longer text, and each repeats the same tokens of the shorter one: all of them,
        if they fit into half a piece.

        Args:
            lengths: number of tokens of the text, or of both texts of a pair, without special tokens.
            separators: number of [SEP] between the texts of a pair.

        Raises:
            SettingsError: ``max_tokens`` has no room for a token of a pair.

        >>> Truncation(6, "head").pieces([7])
        [([0, 1, 2, 3],)]
        >>> Truncation(8, "tail").pieces([7, 2])
        [([4, 5, 6], range(0, 2))]
        """
        room = self.max_tokens - SPECIAL_TOKENS
        if len(lengths) == 1:
            return [(places,) for places in self._places(lengths[0], room)]
        first, second = lengths
        if room <= separators:
            raise SettingsError(
                f"max_tokens is {self.max_tokens}: give at least {SPECIAL_TOKENS + separators + 1} for pairs of texts"
            )
        rooms = shares(first, second, room - separators)
        if first > second:
            beside = self._one(second, rooms[1])
            return [(places, beside) for places in self._places(first, rooms[0])]
        beside = self._one(first, rooms[0])
        return [(beside, places) for places in self._places(second, rooms[1])]

    def _places(self, length: int, room: int) -> list[Sequence[int]]:
        """The indices in each piece of a text of ``length`` tokens, at most ``room`` per piece."""
        return [*windows(range(length), room)] if self.policy == "window" else [self._one(length, room)]

    def _one(self, length: int, room: int) -> Sequence[int]:
        """The indices read of such a text in a single piece."""
        whole = range(length)
        if length <= room:
            return whole
        head = {"head": room, "tail": 0}.get(self.policy, min(room, max(1, int(room * HEAD_SHARE))))
        return [*whole[:head], *whole[length - (room - head) :]]


def shares(first: int, second: int, room: int) -> tuple[int, int]:
    """The number of tokens kept of each text of a pair: the longer one is truncated until both fit.

    If both are too long, each gets half, and the longer one the odd token (the second if they are equally long). This
    is ``longest_first`` of the ``tokenizers`` library.

    >>> shares(100, 5, 20), shares(100, 101, 21), shares(5, 6, 20)
    ((15, 5), (10, 11), (5, 6))
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (room - shorter, shorter) if first > second else (shorter, room - shorter)
