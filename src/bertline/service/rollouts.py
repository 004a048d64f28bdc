"""The rollouts of a server: those of models in the registry, and those that an administrator begins on this server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bertline.bundle.verify import read_manifest
from bertline.errors import BertlineError
from bertline.lifecycle.rollout.conductor import Conductor, Judge, Side
from bertline.lifecycle.rollout.decision import decide
from bertline.lifecycle.rollout.plan import Plan
from bertline.lifecycle.rollout.state import InMemory
from bertline.registry.rollout import Rollout, Tally
from bertline.service.perimeter import Perimeter
from bertline.service.settings import settings_of
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving

if TYPE_CHECKING:
    from bertline.service.registry_rollouts import RegistryRollouts

OnMove = Callable[[str, Rollout], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A rollout as clients see it.

    Attributes:
        rollout: its state.
        counts: by step, of this server, or of all servers if the registry decides.
        decided_by: who takes its steps.
    """

    rollout: Rollout
    counts: Mapping[int, Tally]
    decided_by: Literal["server", "registry"]

    def outlook(self) -> str | None:
        """What the counts say of the next step; None once it has ended, and before there are counts."""
        if not self.rollout.open or not self.counts:
            return None
        plan = Plan.model_validate(dict(self.rollout.plan))
        decision = decide(self.rollout, plan, self.counts, time.time())
        return f"{decision.action.replace('_', ' ')}: {decision.reason}"


class ServerRollouts:
    """The rollouts of a server's models: those that administrators begin on it, in its memory, and the registry's.

    Args:
        serving: the models.
        on_move: receives a model's name and its rollout when that was moved on or has ended.
        judge: counts of feedback; None if there is none.
    """

    def __init__(self, serving: Serving, on_move: OnMove, judge: Judge | None = None) -> None:
        self._models, self._state, self.on_move = serving.models, InMemory(), on_move
        self._names: dict[str, str] = {}
        self._paths: dict[str, Path] = {}
        self._followed: frozenset[str] = frozenset()
        self._registry: RegistryRollouts | None = None
        every_s = settings_of(serving).follow_every_s
        self._conductor = Conductor(
            serving.models, self._names, self._state, self._fetch, every_s=every_s, on_move=on_move, judge=judge
        )

    def leave(self, models: Iterable[str], registry: RegistryRollouts) -> None:
        """Leave models that follow an alias to their registry."""
        self._followed, self._registry = frozenset(models), registry

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
        current = self._models.current(name, None)
        try:
            digest = (await asyncio.to_thread(read_manifest, bundle)).checksum
        except BertlineError as error:
            raise _conflict(str(error)) from None
        going = self._state.current(name)
        if going is not None:  # nothing is awaited between this and the beginning: of two at once, one begins
            raise _conflict(f"a rollout of {going.name} goes on ({going.step}): end it with DELETE first")
        if digest == current.checksum:
            raise _conflict(f"{name} answers with this bundle already: roll another one out")
        self._paths |= {digest: bundle, current.checksum: current.path}
        self._names[name] = name
        self._state.begin(Rollout(0, name, None, current.checksum, None, digest, tuple(steps), plan=plan, by="admin"))
        await self._conductor.look(name)
        begun = self._state.last(name)
        assert begun is not None
        if name not in self._models.trials:
            raise _conflict(begun.reason or "the challenger could not be loaded: see the log")
        return begun

    async def abort(self, name: str, by: str) -> None:
        """End a rollout: the version that answered before it answers, on every server if the registry decides it.

        Raises:
            Problem: the model is unknown or follows another alias than the champion, or has no rollout that goes on.
        """
        self._models.current(name, None)
        if self._registry is not None and name in self._registry:
            await self._registry.abort(name, by)
            return
        self._check_own(name)
        going = self._state.current(name)
        if going is None:
            raise _conflict(f"{name} has no rollout that goes on")
        while going is not None and not self._state.move(
            going, "rolled_back", going.place, "aborted by an administrator"
        ):
            going = self._state.current(name)  # it went to its next step at the same moment
        await self._conductor.look(name)

    async def last(self, name: str) -> Shown | None:
        """The last rollout of a model, open or ended.

        Raises:
            Problem: the model is unknown, or its registry cannot be read.
        """
        self._models.current(name, None)
        if self._registry is not None and name in self._registry:
            found = await self._registry.last(name)
            return None if found is None else Shown(found[0], found[1], decided_by="registry")
        last, trial = self._state.last(name), self._models.trials.get(name)
        if last is None:
            return None
        return Shown(last, {last.place: trial.tally} if trial is not None else {}, decided_by="server")

    def _check_own(self, name: str) -> None:
        if name in self._followed:
            raise _conflict(
                f"{name} follows the registry: use bertline models promote --canary, models shadow and models rollout"
            )

    def _fetch(self, rollout: Rollout, side: Side) -> Path:
        digest = rollout.champion_digest if side == "champion" else rollout.challenger_digest
        assert digest is not None
        return self._paths[digest]


def judge_of_predictions(perimeter: Perimeter | None) -> Judge | None:
    """What counts feedback on predictions; None where none are kept."""
    if perimeter is None or perimeter.predictions is None:
        return None
    from bertline.lifecycle.rollout.judged import judge_of

    return judge_of(perimeter.predictions.store)


def _conflict(why: str) -> Problem:
    return Problem(Code.CANNOT_LOAD, f"Nothing was changed: {why.removesuffix('.')}.", "bundle")
