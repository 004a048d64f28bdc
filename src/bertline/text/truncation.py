"""Which tokens of a text that is too long are read, and how many are not.

The default keeps the first and the last tokens: on IMDB, BERT-base reads 256 tokens of head and tail with
94.0 % accuracy and 256 tokens of head alone with 92.4 % (Sun et al. 2019, "How to Fine-Tune BERT for Text
Classification", introduced the policy with 128 + 382 of 512 tokens, a quarter of the room for the head).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bertline.errors import SettingsError

Policy = Literal["head_tail", "head", "tail"]

SPECIAL_TOKENS = 2  # [CLS] in front, [SEP] at the end
SHORTEST_TOKENS = 4  # the two special ones, one of the head, one of the tail
HEAD_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as the encoder reads it: ``ids`` with [CLS] and [SEP], and how many tokens were ``cut``."""

    ids: list[int]
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Truncation:
    """At most ``max_tokens`` ids ([CLS] and [SEP] count), chosen by ``policy``.

    >>> Truncation(max_tokens=6).cut([1, 2, 3, 4, 5, 6, 7])
    ([1, 5, 6, 7], 3)
    >>> Truncation(max_tokens=6, policy="head").cut([1, 2, 3, 4, 5, 6, 7])
    ([1, 2, 3, 4], 3)
    >>> Truncation(max_tokens=6, policy="tail").cut([1, 2, 3, 4, 5, 6, 7])
    ([4, 5, 6, 7], 3)

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

    @property
    def room(self) -> int:
        """Tokens of the text itself that fit."""
        return self.max_tokens - SPECIAL_TOKENS

    def cut(self, ids: Sequence[int]) -> tuple[list[int], int]:
        """The ids of a text (without special tokens) that are read, and the number that are not."""
        excess = len(ids) - self.room
        if excess <= 0:
            return list(ids), 0
        if self.policy == "head":
            return list(ids[: self.room]), excess
        if self.policy == "tail":
            return list(ids[excess:]), excess
        head = max(1, int(self.room * HEAD_SHARE))
        return [*ids[:head], *ids[len(ids) - (self.room - head) :]], excess
