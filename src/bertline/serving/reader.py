"""Texts to ids for the requests that are in the house: beside the event loop, and for all of them together.

While one lot of texts is tokenised the next one gathers; a single text that finds nobody ahead starts at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

from bertline.text import Tokenizer, Truncation, windows
from bertline.text.truncation import SPECIAL_TOKENS

Policy = Literal["head_tail", "head", "tail", "window", "error"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One text as the network will read it.

    Attributes:
        pieces: ids with [CLS] and [SEP]; several are windows over one text.
        read: tokens of the text that are in a piece, with [CLS] and [SEP] of one piece.
        cut: tokens of the text that are in none.
    """

    pieces: list[list[int]]
    read: int
    cut: int = 0

    @property
    def blank(self) -> bool:
        """No token is left of the text: the network would read [CLS] and [SEP] alone."""
        return self.read == SPECIAL_TOKENS and not self.cut


@dataclass(slots=True)
class _Asked:
    texts: Sequence[str]
    policy: Policy
    max_tokens: int
    done: asyncio.Future[list[Reading]]


class Reader:
    """Reads texts for one model.

    Args:
        tokenizer: the model's.
        executor: where the work is done; one thread is enough.
    """

    def __init__(self, tokenizer: Tokenizer, executor: Executor) -> None:
        self.tokenizer, self._executor = tokenizer, executor
        self._asked: list[_Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def read(self, texts: Sequence[str], policy: Policy, max_tokens: int) -> list[Reading]:
        """A reading per text.

        Args:
            texts: not empty; lengths in characters are the caller's to bound.
            policy: which tokens are read; ``error`` cuts like ``head_tail``, and the caller looks at ``cut``.
            max_tokens: of a piece, special tokens included.
        """
        asked = _Asked(texts, policy, max_tokens, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="tokenise")
        return await asked.done

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._asked:
                lot = [one for one in self._asked if not one.done.done()]
                self._asked = []
                found = await loop.run_in_executor(self._executor, self._read_each, lot)
                for one, readings in zip(lot, found, strict=True):
                    if one.done.done():
                        continue
                    if isinstance(readings, Exception):
                        one.done.set_exception(readings)
                    else:
                        one.done.set_result(readings)
        finally:
            self._task = None

    def _read_each(self, lot: Sequence[_Asked]) -> list[list[Reading] | Exception]:
        """Together; where that fails, each by itself, so that nobody gets another one's error."""
        try:
            return [*self._read(lot)]
        except BaseException as error:  # a panic of the library is no Exception
            if len(lot) > 1:
                return [found for one in lot for found in self._read_each([one])]
            return [error if isinstance(error, Exception) else RuntimeError(type(error).__name__)]

    def _read(self, lot: Sequence[_Asked]) -> list[list[Reading]]:
        encoded = iter(self.tokenizer.encode_whole([text for one in lot for text in one.texts]))
        return [[self._reading(next(encoded), one.policy, one.max_tokens) for _ in one.texts] for one in lot]

    def _reading(self, ids: list[int], policy: Policy, max_tokens: int) -> Reading:
        framed = self.tokenizer.framed
        if policy == "window":
            pieces = [framed(piece) for piece in windows(ids, max_tokens - SPECIAL_TOKENS)]
            return Reading(pieces, len(ids) + SPECIAL_TOKENS)
        kept, cut = Truncation(max_tokens, "head_tail" if policy == "error" else policy).cut(ids)
        return Reading([framed(kept)], len(kept) + SPECIAL_TOKENS, cut)
