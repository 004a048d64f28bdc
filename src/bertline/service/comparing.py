"""Two of the loaded versions on the same text or table: one table at a time, behind the requests of all clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from bertline.data.head import Head, take_head
from bertline.data.rows import BadRow, Row
from bertline.errors import BertlineError, DataError, SettingsError, UsageError
from bertline.lifecycle.comparison.compared import ComparedTable, compare
from bertline.lifecycle.comparison.latency import Latencies, timed_places
from bertline.lifecycle.comparison.rows import GivenTable, read_rows
from bertline.lifecycle.comparison.settings import CompareSettings
from bertline.lifecycle.gate.rows import Outputs, check_alike
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts
from bertline.serving.version import Version
from bertline.tasks import task
from bertline.tasks.compared import RowCompared
from bertline.text import Input, Reading

ROWS = "rows"  # the field of the rows, and the table's name in messages
MOST_ROWS = 10_000
MOST_NUMBERS = 2**23  # of both versions' outputs: 32 MB in single precision
AT_ONCE = 16  # texts of one version
TABLE_TIMEOUT_S = 600.0
TIMES = 5  # that a single text is timed
Both = tuple[Version, Version]
Steps = AsyncGenerator["Progress | ComparedTable", None]


class GivenRows(CompareSettings):
    """A table whose rows came with the request."""

    given: tuple[Mapping[str, Any], ...] = ()

    def opened(self, source: Any, name: str | None = None) -> tuple[Head, Iterator[Row | BadRow]]:
        """The head of the rows, and all of them; a row's line is its number from 1."""
        each = (Row(number, one) for number, one in enumerate(self.given, start=1))
        return take_head(ROWS, "jsonl", each, header=True)


@dataclass(frozen=True, slots=True)
class ComparedText:
    """Two versions' answers to one text, and the median time of each in milliseconds."""

    answers: tuple[Any, Any]
    row: RowCompared
    took_ms: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows that both versions have answered, and times that were taken, of how many."""

    done: int
    of: int


class Comparing:
    """Compares versions that are loaded.

    Args:
        serving: has the models.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving, self._busy = serving, False

    async def text(self, both: Both, one: Input, deadline_s: float) -> ComparedText:
        """The answers of both versions to one input.

        Raises:
            Problem: they do not answer alike, the deadline passes, or one cannot answer.
        """
        _check_alike(both)
        with _used(both):
            outputs = [await self._outputs(version, [one], deadline_s) for version in both]
            times_s: list[list[float]] = [[], []]
            for _ in range(TIMES):
                for own_s, version in zip(times_s, both, strict=True):
                    own_s.append(await self._serving.timed_s(version, one, deadline_s))
        part = task(both[0].spec.task)
        answers = [part.answer.answers(own.spec, own.arrays, own.readings) for own in outputs]
        [row] = part.compared.by_row(both[0].spec, [one], *answers)
        took = [1000 * median(own_s) for own_s in times_s]
        return ComparedText((answers[0][0], answers[1][0]), row, (took[0], took[1]))

    def rows(self, both: Both, settings: GivenRows) -> GivenTable:
        """The rows of a request, checked.

        Raises:
            Problem: they are too many, cannot be read, or are too long.
        """
        _check_alike(both)
        if len(settings.given) > MOST_ROWS:
            message = f"{ROWS} has {len(settings.given):,} rows and the limit is {MOST_ROWS:,}: send fewer."
            raise Problem(Code.TOO_MANY_TEXTS, message, ROWS)
        try:
            rows = read_rows(ROWS, settings, both[0].spec, both[0].name)
        except (DataError, SettingsError) as error:
            raise _unreadable(error) from None
        for example in rows.dataset.examples:
            check_texts([example.input], self._serving.settings, f"{ROWS}[{example.line - 1}]")
        return rows

    async def table(self, both: Both, rows: GivenTable, deadline_s: float) -> Steps:
        """Progress, and at last the comparison.

        Raises:
            Problem: another table is being compared, the deadline passes, the outputs are too large, or a version
                cannot answer.
        """
        if self._busy:
            message = "Another table is being compared: try again when it has ended."
            raise Problem(Code.OVERLOADED, message, headers={"Retry-After": "5"})
        self._busy = True
        try:
            with _used(both):
                async for found in self._table(both, rows, deadline_s):
                    yield found
        finally:
            self._busy = False

    async def _table(self, both: Both, rows: GivenTable, deadline_s: float) -> Steps:
        inputs = [one.input for one in rows.dataset.examples]
        timed = timed_places(len(inputs))
        of = len(inputs) + len(timed)
        yield Progress(0, of)
        parts: tuple[list[Outputs], list[Outputs]] = ([], [])
        numbers = 0
        for start in range(0, len(inputs), AT_ONCE):
            some = inputs[start : start + AT_ONCE]
            for own, version in zip(parts, both, strict=True):
                own.append(await self._outputs(version, some, deadline_s))
                numbers += sum(np.size(piece) for pieces in own[-1].arrays for piece in pieces)
            if numbers > MOST_NUMBERS:
                some_rows = f"{start + len(some):,} of {len(inputs):,} rows"
                message = f"The outputs of {some_rows} are as large as the server allows: send fewer."
                raise Problem(Code.TOO_MANY_TEXTS, message, ROWS)
            yield Progress(start + len(some), of)
        times: tuple[list[float], list[float]] = ([], [])
        for done, place in enumerate(timed, start=1):
            for which in (0, 1) if done % 2 else (1, 0):
                times[which].append(1000 * await self._serving.timed_s(both[which], inputs[place], deadline_s))
            if done % AT_ONCE == 0:
                yield Progress(len(inputs) + done, of)
        latencies = Latencies.of(*(np.array(own) for own in times))
        first, second = map(_joined, parts)
        paths = both[0].path, both[1].path
        work = partial(compare, first, second, rows, paths=paths, latencies=latencies)
        try:
            yield await asyncio.to_thread(work)
        except BertlineError as error:
            raise Problem(Code.COMPUTE_FAILED, _sentence(str(error)), ROWS) from None

    async def _outputs(self, version: Version, inputs: Sequence[Input], deadline_s: float) -> Outputs:
        readings, arrays = await self._serving.look(version, inputs, deadline_s, version.spec.output, ROWS)
        _check_answerable(version, inputs, readings)
        return Outputs(version.spec, readings, arrays)


@contextmanager
def _used(both: Both) -> Iterator[None]:
    """Neither is stopped meanwhile, whatever is loaded or rolled back."""
    for one in both:
        one.users += 1
    try:
        yield
    finally:
        for one in both:
            one.users -= 1


def _joined(parts: Sequence[Outputs]) -> Outputs:
    readings = [reading for one in parts for reading in one.readings]
    return Outputs(parts[0].spec, readings, [array for one in parts for array in one.arrays])


def _check_alike(both: Both) -> None:
    first, second = (f"{one.name} ({one.version})" for one in both)
    try:
        check_alike((first, both[0].spec), (second, both[1].spec))
    except UsageError as error:
        raise Problem(Code.UNSUPPORTED, _sentence(str(error)), "second") from None


def _check_answerable(version: Version, inputs: Sequence[Input], readings: Sequence[Reading]) -> None:
    """Refuse a text to which the task has no answer, as to one without [MASK]."""
    for reading in readings:
        if (fault := version.spec.fault(reading)) is not None:
            raise Problem(Code.INVALID_TEXT, f"A text {fault}.", "text" if len(inputs) == 1 else ROWS)


def _unreadable(error: BertlineError) -> Problem:
    """A fault of a table, in the names of the request's fields."""
    message = re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda flag: flag[1].replace("-", "_"), str(error))
    return Problem(Code.OUT_OF_RANGE, _sentence(message), ROWS)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:].removesuffix('.')}."
