"""The rows that the bundles of served models carry, embedded once for each version that answers.

A version's rows are embedded when they are first asked for, behind the requests of all clients and without a client's
deadline: whoever asks meanwhile waits, and those who cannot wait as long are told how far it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from dataclasses import dataclass

import numpy as np

from bertline.errors import BundleError, UsageError
from bertline.explanation.nearest import Array, Kept, KeptRow, rows_of
from bertline.inference.predictor import means
from bertline.serving.listeners import Listener
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.version import Version

log = logging.getLogger(__name__)

AT_ONCE = 8  # rows between two looks at whether the version still answers
MOST_KEPT = 8  # versions whose embeddings are kept: 12 MB, with 1,000 rows of 384 numbers each
PART_S = 60.0  # until so many rows, at the latest, are tried again
AGAIN_S = 1.0  # between two tries while the server has too much to do
BUSY = (Code.OVERLOADED, Code.DEADLINE)


@dataclass(slots=True)
class _Making:
    """The embedding of a version's rows.

    Attributes:
        task: of it; once it has ended, its result is what is kept.
        done: rows that are embedded, of how many.
    """

    task: asyncio.Task[Kept] | None = None
    done: int = 0
    of: int = 0


class KeptRows(Listener):
    """Embeds the rows of the versions that answer, and keeps the embeddings.

    Args:
        serving: has the models.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._made: dict[Version, _Making] = {}  # the one that was asked for last is the last
        self._tasks: set[asyncio.Task[Kept]] = set()
        serving.listeners.add(self)

    @property
    def versions(self) -> list[Version]:
        """Whose rows are kept, or are being embedded."""
        return [*self._made]

    async def of(self, version: Version, deadline_s: float) -> Kept:
        """The rows of a version with their embeddings.

        Raises:
            Problem: it carries no rows, they cannot be embedded, or the deadline passes first.
        """
        making = self._made.pop(version, None)
        if making is None:
            making = _Making()
            work = self._make(version, making)
            # It serves whoever asks: no client is charged for it, and it is on no request's log lines and spans.
            making.task = asyncio.create_task(work, name="embed kept rows", context=Context())
            self._tasks.add(making.task)
            making.task.add_done_callback(lambda task: self._ended(version, making, task))
        self._made[version] = making
        self._bound()
        assert making.task is not None
        try:
            async with asyncio.timeout_at(deadline_s):
                return await asyncio.shield(making.task)
        except TimeoutError:
            far = f"{making.done:,} of {making.of:,} are done" if making.of else "it has just begun"
            message = f"The rows that {version.name} carries are being embedded, {far}: try again, or allow more time."
            raise Problem(Code.DEADLINE, message) from None

    def exchanged(self, name: str) -> None:
        """Drop the embeddings of versions that no longer answer; embedding ends by itself."""
        for version in [one for one in self._made if one.name == name and not self._serving.models.answers(one)]:
            self._made.pop(version)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end, no row is embedded any more, for which a version would have to live on."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _bound(self) -> None:
        ended = [version for version, one in self._made.items() if one.task is not None and one.task.done()]
        for version in ended[: max(0, len(self._made) - MOST_KEPT)]:
            self._made.pop(version)

    def _ended(self, version: Version, making: _Making, task: asyncio.Task[Kept]) -> None:
        self._tasks.discard(task)
        failed = task.cancelled() or task.exception() is not None  # whoever asked may have left
        if failed and self._made.get(version) is making:
            self._made.pop(version)

    async def _make(self, version: Version, making: _Making) -> Kept:
        with _used(version):
            rows = await asyncio.to_thread(_rows, version)
            making.of = len(rows)
            parts: list[Array] = []
            for start in range(0, len(rows), AT_ONCE):
                parts.append(await self._embedded(version, rows[start : start + AT_ONCE]))
                making.done += len(parts[-1])
            return await asyncio.to_thread(lambda: Kept.of(rows, np.concatenate(parts)))

    async def _embedded(self, version: Version, rows: list[KeptRow]) -> Array:
        while self._serving.models.answers(version):
            deadline_s = asyncio.get_running_loop().time() + PART_S
            try:
                look = self._serving.look(version, [row.input for row in rows], deadline_s, "embedding", "nearest")
                return means((await look)[1]).astype(np.float32)
            except Problem as problem:
                if problem.code not in BUSY:
                    message = f"The rows that {version.name} carries cannot be embedded: {problem.message}"
                    raise Problem(problem.code, message, headers=problem.headers) from None
                await asyncio.sleep(AGAIN_S)
        raise Problem(Code.NOT_READY, f"{version.name} is another version now: try again.")


@contextmanager
def _used(version: Version) -> Iterator[None]:
    """It is not stopped meanwhile, whatever is loaded."""
    version.users += 1
    try:
        yield
    finally:
        version.users -= 1


def _rows(version: Version) -> list[KeptRow]:
    """The rows of a version's bundle.

    Raises:
        Problem: there are none, or the bundle is damaged.
    """
    try:
        rows = rows_of(version.path, version.spec)
    except UsageError as error:
        message = str(error)
        raise Problem(Code.UNSUPPORTED, f"{message[0].upper()}{message[1:]}.", "nearest") from None
    except BundleError as error:
        log.error("%s", error)  # it names a file of this machine
        message = f"The rows that {version.name} carries are damaged: load its bundle again, or leave nearest out."
        raise Problem(Code.COMPUTE_FAILED, message, "nearest") from None
    if not rows:
        message = (
            f"{version.name} carries no rows to compare with: train it with --reference-rows, or leave nearest out."
        )
        raise Problem(Code.UNSUPPORTED, message, "nearest")
    return rows
