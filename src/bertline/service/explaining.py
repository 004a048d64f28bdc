"""Explanations, anatomies and scans of the models that are served: one at a time, behind all requests."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from bertline.bundle.engine import WORDS
from bertline.bundle.probes import ATTENTIONS
from bertline.errors import UsageError
from bertline.explanation.anatomy.anatomy import anatomy
from bertline.explanation.anatomy.found import Anatomy
from bertline.explanation.anatomy.settings import AnatomySettings
from bertline.explanation.changes import Counter
from bertline.explanation.counter import counter_evidence
from bertline.explanation.explain import explain
from bertline.explanation.found import Explanation
from bertline.explanation.nearest import Near
from bertline.explanation.proposals import filling
from bertline.explanation.settings import ExplainSettings
from bertline.inference.predictor import means
from bertline.inference.seen_inside import NO_LAYERS
from bertline.lifecycle.probes.found import Scan
from bertline.lifecycle.probes.scan import scan
from bertline.lifecycle.probes.settings import ProbeSettings
from bertline.service.kept_rows import KeptRows
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.version import Version
from bertline.text import Input, Reading

Found = TypeVar("Found")

AT_ONCE = 8  # texts between two looks at whether others wait
MOST_WAITING = 16  # explanations, anatomies and scans
MOST_ANSWERS = 2_000  # of the model that one of them may take


class Explaining:
    """Explains answers of the served models, and shows their inside.

    Args:
        serving: has the models.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving, self._turn, self._waiting = serving, asyncio.Lock(), 0
        self.kept = KeptRows(serving)

    async def explain(
        self,
        version: Version,
        one: Input,
        settings: ExplainSettings,
        name: str | None,
        span: tuple[int, int] | None,
        deadline_s: float,
        *,
        counter: bool = False,
        filler: Version | None = None,
    ) -> tuple[Explanation, Counter | None]:
        """The shares of the words of one input.

        Args:
            version: of the model.
            one: the input, checked.
            settings: method and budget.
            name: the label to explain; None is that of the answer.
            span: of a tagger: the characters whose label is explained; None is the first entity.
            deadline_s: on the event loop's clock.
            counter: also find the smallest change of words with which the label is another one.
            filler: a model that fills in words, which proposes those of the change; None leaves words out.

        Raises:
            Problem: too many others wait, the deadline passes, or the model cannot be explained so.
        """

        def work(asked: _Asked) -> tuple[Explanation, Counter | None]:
            beside = None if filler is None else asked.beside(filler)
            if beside is not None:
                filling(beside, one)  # before the explanation, which takes long
            found = explain(asked, one, settings, name, span)
            if not counter:
                return found, None
            return found, counter_evidence(asked, one, settings, filler=beside, name=name)

        return await self._behind(version, deadline_s, work)

    async def nearest(self, version: Version, one: Input, most: int, deadline_s: float) -> list[Near]:
        """The rows of a version's bundle that are nearest to one input.

        Args:
            version: of the model.
            one: the input, checked.
            most: rows.
            deadline_s: on the event loop's clock.

        Raises:
            Problem: as ``explain``; or the bundle carries no rows, or they are not embedded before the deadline.
        """
        with self._counted():
            kept = await self.kept.of(version, deadline_s)

        def work(asked: _Asked) -> list[Near]:
            _, arrays = asked.pieces([one], "embedding")
            return kept.near(means(arrays)[0].astype(np.float32), most)

        return await self._behind(version, deadline_s, work)

    async def anatomy(self, version: Version, one: Input, settings: AnatomySettings, deadline_s: float) -> Anatomy:
        """One input on its way through the network.

        Args:
            version: of the model.
            one: the input, checked.
            settings: where to look.
            deadline_s: on the event loop's clock.

        Raises:
            Problem: as ``explain``, or the model's bundle does not show its inside.
        """
        if version.engine == WORDS:
            raise Problem(Code.UNSUPPORTED, f"{version.name} answers with the {NO_LAYERS}.", "model")
        if "attentions" not in version.outputs:
            raise Problem(
                Code.UNSUPPORTED,
                f"{version.name} has no {ATTENTIONS}, which shows what its layers compute: run bertline optimize on "
                "its bundle where PyTorch is installed, and load it again.",
                "model",
            )
        return await self._behind(version, deadline_s, lambda asked: anatomy(asked, one, settings))

    async def scan(self, version: Version, inputs: Sequence[Input], settings: ProbeSettings, deadline_s: float) -> Scan:
        """Which changes of texts break the model's answers.

        Args:
            version: of the model.
            inputs: texts or pairs, checked.
            settings: probes, budget and seed.
            deadline_s: on the event loop's clock.

        Raises:
            Problem: as ``explain``, the scan would take more answers than its budget, or the model cannot be probed so.
        """
        return await self._behind(version, deadline_s, lambda asked: scan(asked, inputs, settings, asked.check_time))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Problem(
                Code.OVERLOADED,
                f"{MOST_WAITING} explanations and scans wait: try again later.",
                headers={"Retry-After": "5"},
            )
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _behind(self, version: Version, deadline_s: float, work: Callable[[_Asked], Found]) -> Found:
        try:
            with self._counted():
                await self._in_turn(deadline_s)
                asked = _Asked(self._serving, version, deadline_s, asyncio.get_running_loop())
                return await self._in_thread(asked, work)
        except UsageError as error:
            message = f"{error}."
            named = re.search(r"\bno (layer|head|token) \d", message)
            field = named[1] if named else "budget" if "budget" in message else "text"
            field = "probes" if "probe " in message else field
            raise Problem(Code.OUT_OF_RANGE, f"{message[0].upper()}{message[1:]}", field) from None

    async def _in_thread(self, asked: _Asked, work: Callable[[_Asked], Found]) -> Found:
        """In one thread of the default ones, which authentication needs too: the next turn is when it has ended.

        It has no time limit, because a thread cannot be stopped. It ends when what it asks for is refused.
        """
        working = asyncio.create_task(asyncio.to_thread(work, asked), name="explaining")
        working.add_done_callback(self._ended)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:  # the client has left
            asked.left.set()
            raise

    def _ended(self, working: asyncio.Task[Any]) -> None:
        self._turn.release()
        if not working.cancelled():
            working.exception()  # whoever asked may have left

    async def _in_turn(self, deadline_s: float) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._turn.acquire()
        except TimeoutError:
            raise Problem(
                Code.DEADLINE, "Other explanations and scans took until the deadline: allow more time."
            ) from None


class _Asked:
    """A served version as ``explanation.explain.Answering``, for a thread beside the event loop."""

    def __init__(
        self,
        serving: Serving,
        version: Version,
        deadline_s: float,
        loop: asyncio.AbstractEventLoop,
        left: threading.Event | None = None,
    ) -> None:
        self._serving, self._version, self._deadline_s, self._loop = serving, version, deadline_s, loop
        self.spec, self.tokenizer = version.spec, version.tokenizer
        self.pooling: str = version.pooling
        self.left = left or threading.Event()  # the client has

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        """Computed by the version's worker, a few texts at a time."""
        readings: list[Reading] = []
        arrays: list[list[Any]] = []
        for start in range(0, len(texts), AT_ONCE):
            if self.left.is_set():
                raise Problem(Code.DEADLINE, "The client has left.")
            looked = self._serving.look(self._version, texts[start : start + AT_ONCE], self._deadline_s, output)
            read, computed = asyncio.run_coroutine_threadsafe(looked, self._loop).result()
            readings += read
            arrays += computed
        return readings, arrays

    def beside(self, other: Version) -> _Asked:
        """Another version, for the same work of the same client."""
        return _Asked(self._serving, other, self._deadline_s, self._loop, self.left)

    def check_time(self) -> None:
        """For work that asks the worker for nothing.

        Raises:
            Problem: the deadline has passed.
        """
        if self.left.is_set() or self._loop.time() > self._deadline_s:
            raise Problem(
                Code.DEADLINE,
                "The texts were not changed before the deadline: send fewer or shorter ones, or allow more time.",
            )
