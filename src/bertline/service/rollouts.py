"""The rollouts of a server: those of models in the registry, and those that an administrator begins on this server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bertline.bundle.verify import read_manifest
from bertline.errors import BertlineError
from bertline.lifecycle.rollout.conductor import Conductor, Judge
from bertline.lifecycle.rollout.state import InMemory
from bertline.registry.rollout import Rollout
from bertline.service.perimeter import Perimeter
from bertline.service.settings import settings_of
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving

OnMove = Callable[[str, Rollout], None]


class ServerRollouts:
    """The rollouts that administrators begin on this server, in its memory.

    Args:
        serving: the models.
        on_move: receives a model's name and its rollout when that was moved on or has ended.
        judge: counts of feedback; None if there is none.

    Attributes:
        followed: models that the registry rolls out.
    """

    def __init__(self, serving: Serving, on_move: OnMove, judge: Judge | None = None) -> None:
        self._models, self._state, self.on_move = serving.models, InMemory(), on_move
        self._names: dict[str, str] = {}
        self._paths: dict[str, Path] = {}
        self.followed: frozenset[str] = frozenset()
        every_s = settings_of(serving).follow_every_s
        self._conductor = Conductor(
            serving.models, self._names, self._state, self._fetch, every_s=every_s, on_move=on_move, judge=judge
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at them while inside."""
        task = asyncio.create_task(self._conductor.run(), name="rollouts")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def begin(self, name: str, bundle: Path, steps: Sequence[str], plan: Mapping[str, Any]) -> Rollout:
        """Begin a rollout, with its challenger loaded and warm.

        Raises:
            Problem: the model is unknown or the registry's, a rollout goes on, or the bundle cannot be used.
        """
        self._check_own(name)
        current, going = self._models.current(name, None), self._state.current(name)
        if going is not None:
            raise _conflict(f"a rollout of {going.name} goes on ({going.step}): end it with DELETE first")
        try:
            digest = (await asyncio.to_thread(read_manifest, bundle)).checksum
        except BertlineError as error:
            raise _conflict(str(error)) from None
        if digest == current.checksum:
            raise _conflict(f"{name} answers with this bundle already: roll another one out")
        self._paths[digest] = bundle
        self._names[name] = name
        self._state.begin(Rollout(0, name, None, current.checksum, None, digest, tuple(steps), plan=plan, by="admin"))
        await self._conductor.look(name)
        begun = self._state.last(name)
        assert begun is not None
        if name not in self._models.trials:
            raise _conflict(begun.reason or "the challenger could not be loaded: see the log")
        return begun

    async def abort(self, name: str) -> Rollout:
        """End a rollout: the version that answered before it answers.

        Raises:
            Problem: the model is unknown or the registry's, or has no rollout that goes on.
        """
        self._check_own(name)
        self._models.current(name, None)
        going = self._state.current(name)
        if going is None:
            raise _conflict(f"{name} has no rollout that goes on")
        self._state.move(going, "rolled_back", going.place, "aborted by an administrator")
        await self._conductor.look(name)
        ended = self._state.last(name)
        assert ended is not None
        return ended

    def last(self, name: str) -> Rollout | None:
        """The last rollout of a model that was begun here, open or ended."""
        return self._state.last(name)

    def _check_own(self, name: str) -> None:
        if name in self.followed:
            raise _conflict(
                f"{name} follows the registry: use bertline models promote --canary, models shadow and models rollout"
            )

    def _fetch(self, rollout: Rollout) -> Path:
        return self._paths[rollout.challenger_digest]


def judge_of_predictions(perimeter: Perimeter | None) -> Judge | None:
    """What counts feedback on predictions; None where none are kept."""
    if perimeter is None or perimeter.predictions is None:
        return None
    from bertline.lifecycle.rollout.judged import judge_of

    return judge_of(perimeter.predictions.store)


def _conflict(why: str) -> Problem:
    return Problem(Code.CANNOT_LOAD, f"Nothing was changed: {why.removesuffix('.')}.", "bundle")
