"""Tokenises the inputs of concurrent requests together, in a thread beside the event loop.

While one lot is tokenised, the next one gathers. Short inputs are tokenised on the event loop, because switching to a
thread and back would take longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

from bertline.text import Input, Reading, Tokenizer, Truncation
from bertline.text.reader import read_each
from bertline.text.reading import texts_of

SHORT_CHARS = 512  # per request: up to 170 µs of the event loop (AVX512 core); a sentence of 108 takes 57


@dataclass(slots=True)
class _Request:
    inputs: Sequence[Input]
    truncation: Truncation
    done: asyncio.Future[list[Reading]] | None = None  # None: the caller reads it in its own thread


class BackgroundReader:
    """Tokenises inputs for one model.

    Args:
        tokenizer: the model's.
        executor: its threads do the work; one is enough.
        offsets: whether pieces have offsets (``text.Reader``).
    """

    def __init__(self, tokenizer: Tokenizer, executor: Executor, *, offsets: bool = False) -> None:
        self.tokenizer, self._executor, self._offsets = tokenizer, executor, offsets
        self._waiting: list[_Request] = []
        self._task: asyncio.Task[None] | None = None

    async def read(self, inputs: Sequence[Input], truncation: Truncation) -> list[Reading]:
        """A reading per input.

        Args:
            inputs: not empty; the caller bounds their lengths in characters.
            truncation: of long inputs.
        """
        if sum(len(text) for one in inputs for text in texts_of(one)) <= SHORT_CHARS:
            (readings,) = self._read_lot([_Request(inputs, truncation)])
            if isinstance(readings, Exception):
                raise readings
            return readings
        done: asyncio.Future[list[Reading]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(inputs, truncation, done))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="tokenise")
        return await done

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                lot = [one for one in self._waiting if one.done and not one.done.done()]
                self._waiting = []
                results = await loop.run_in_executor(self._executor, self._read_lot, lot)
                for one, readings in zip(lot, results, strict=True):
                    if one.done is None or one.done.done():
                        continue
                    if isinstance(readings, Exception):
                        one.done.set_exception(readings)
                    else:
                        one.done.set_result(readings)
        finally:
            self._task = None

    def _read_lot(self, lot: Sequence[_Request]) -> list[list[Reading] | Exception]:
        """Tokenise all requests together; if that fails, each by itself, so that none gets the error of another."""
        try:
            inputs = [(input, one.truncation) for one in lot for input in one.inputs]
            readings = iter(read_each(self.tokenizer, inputs, offsets=self._offsets))
        except BaseException as error:  # a panic of the library is not an Exception
            if len(lot) > 1:
                return [result for one in lot for result in self._read_lot([one])]
            return [error if isinstance(error, Exception) else RuntimeError(type(error).__name__)]
        return [[*islice(readings, len(one.inputs))] for one in lot]
