"""The served models by name: the current version of each, the previous one, and how they are exchanged.

A request uses one version from start to end. A new version is loaded, checked and warmed up beside the old one, and
replaces it in one assignment. The old version and its worker stay for an instant rollback until the next one is loaded.
During a rollout a model has a challenger beside its current version (``bertline.serving.trial``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bertline.errors import BertlineError, UsageError
from bertline.serving.listeners import Listener
from bertline.serving.model_names import fault_of
from bertline.serving.problems import Code, Problem
from bertline.serving.route import ROUTE
from bertline.serving.trial import Trial

if TYPE_CHECKING:
    from bertline.serving.version import Version

Make = Callable[[str, Path], Coroutine[Any, Any, "Version"]]
Role = Literal["current", "challenger", "previous"]


class Models:
    """The table of models, the default one first.

    Args:
        bundles: directory of each, by name.
        make: loads a version and waits until it is ready.
        listener: hears which versions answer and which were stopped.

    Raises:
        UsageError: there is no model, or a name is invalid.
    """

    def __init__(self, bundles: Mapping[str, Path], make: Make, listener: Listener) -> None:
        if not bundles:
            raise UsageError("there is no model to serve: name at least one bundle")
        for name in bundles:
            if fault := fault_of(name):
                raise UsageError(f"the model name {name!r} {fault}: choose another, as in NAME=BUNDLE")
        self._bundles, self._make, self._listener = dict(bundles), make, listener
        self._current: dict[str, Version] = {}
        self._previous: dict[str, Version] = {}
        self._trials: dict[str, Trial] = {}
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load all models, one after the other.

        Raises:
            BertlineError: one cannot be loaded.
        """
        for name, bundle in self._bundles.items():
            self._current[name] = await self._make(name, bundle)

    async def stop(self) -> None:
        """Stop all workers."""
        await asyncio.gather(
            *(one.stop() for one in dict.fromkeys(self._used())), *self._retiring, return_exceptions=True
        )

    @property
    def names(self) -> list[str]:
        """Their names, for clients."""
        return list(self._bundles)

    @property
    def ready(self) -> bool:
        """Whether every model is loaded and its worker is running."""
        return len(self._current) == len(self._bundles) and all(one.ready for one in self._current.values())

    def __iter__(self) -> Iterator[Version]:
        return iter(self._current.values())

    @property
    def trials(self) -> Mapping[str, Trial]:
        """The rollouts that go on, by model."""
        return self._trials

    def loaded(self, name: str) -> list[tuple[Role, Version]]:
        """Every version of a model that is loaded, the current one first, and what it is here."""
        trial = self._trials.get(name)
        found: list[tuple[Role, Version | None]] = [
            ("current", self._current.get(name)),
            ("challenger", None if trial is None else trial.challenger),
            ("previous", self._previous.get(name)),
        ]
        once = {one: role for role, one in reversed(found) if one is not None}
        return [(role, one) for role, one in found if one is not None and once[one] == role]

    def answers(self, version: Version) -> bool:
        """Whether requests may get a version: it is the current one of its model, or a challenger."""
        return any(one is version for role, one in self.loaded(version.name) if role != "previous")

    def previous(self, name: str) -> Version | None:
        """The version that a rollback would restore."""
        return self._previous.get(name)

    def named(self, name: str | None, field: str | None = "model") -> Version:
        """The version of a model that answers this request; without a name, that of the only model.

        It is the current one, or the challenger if a rollout gives it this client; and the same one whenever this is
        called in the course of a request.

        Raises:
            Problem: as ``current``.
        """
        version, route = self.current(name, field), ROUTE.get()
        if route is None:
            return version
        pinned = route.pinned(version.name)
        if pinned is None:
            trial = self._trials.get(version.name)
            pinned = trial.choose(route.key()) if trial is not None else version
            route.pin(version.name, pinned)
        return pinned

    def current(self, name: str | None, field: str | None = "model") -> Version:
        """The current version of a model; without a name, that of the only model.

        Raises:
            Problem: the model is unknown or not loaded yet, or the name is missing and there are several models.
        """
        known = ", ".join(self._bundles)
        if name is None:
            if len(self._bundles) > 1:
                raise Problem(Code.MISSING_FIELD, f"Name one of the models in model: {known}.", field)
            name = next(iter(self._bundles))
        if name not in self._bundles:
            raise Problem(Code.UNKNOWN_MODEL, f"There is no model of that name: valid names are {known}.", field)
        if name not in self._current:
            raise Problem(Code.NOT_READY, "The models are warming up: try again in a second.")
        return self._current[name]

    async def load(self, name: str, bundle: Path) -> Version:
        """Serve another bundle under a name, or a new model; the old version answers until the new one is warmed up.

        Raises:
            Problem: the bundle or the name cannot be used; nothing has changed.
        """
        if fault := fault_of(name):
            raise Problem(Code.OUT_OF_RANGE, f"The model name {fault}: choose another.", "name")
        async with self._changing:
            try:
                # Its worker outlives the request, whose ids must not be on the worker's log lines and spans.
                new = await asyncio.create_task(self._make(name, bundle), name="load", context=Context())
            except BertlineError as error:
                raise Problem(Code.CANNOT_LOAD, f"Nothing was changed: {error}", "bundle") from None
            old = self._current.get(name)
            self._bundles[name], self._current[name] = bundle, new
            if old is not None:
                before = self._previous.get(name)
                self._previous[name] = old
                self._retire(before)
            self.end_trial(name)
            self._listener.exchanged(name)
            return new

    async def challenge(self, name: str, bundle: Path) -> Version | None:
        """Load a challenger beside the current version of a model; ``set_trial`` gives it requests.

        No other change waits for it, such as the rollback of another model. None if another version answers once it is
        loaded: the challenger is stopped again.

        Raises:
            Problem: the model is unknown.
            BertlineError: the bundle cannot be used.
        """
        champion = self.current(name)
        challenger = await asyncio.create_task(self._make(name, bundle), name="challenge", context=Context())
        if self._current.get(name) is champion:
            return challenger
        self._retire(challenger)
        return None

    def set_trial(self, name: str, trial: Trial) -> None:
        """Begin a step of a rollout; the challenger of another one is stopped."""
        before = self._trials.get(name)
        self._trials[name] = trial
        if before is not None:
            self._retire(before.challenger)
            self._listener.exchanged(name)

    def end_trial(self, name: str) -> None:
        """End a rollout: the current version answers everything, and the challenger is stopped, if it is another."""
        trial = self._trials.pop(name, None)
        if trial is not None:
            self._retire(trial.challenger)
            self._listener.exchanged(name)

    async def adopt(self, name: str) -> Version:
        """Let the challenger of a rollout be the current version, at once.

        Raises:
            Problem: there is no rollout.
        """
        async with self._changing:
            trial, current = self._trials.get(name), self.current(name)
            if trial is None:
                raise Problem(Code.CANNOT_LOAD, f"{name} has no challenger to promote.")
            if trial.challenger is not current:
                before = self._previous.get(name)
                self._bundles[name] = trial.challenger.path
                self._current[name], self._previous[name] = trial.challenger, current
                self._retire(before)
                self._listener.exchanged(name)
            return trial.challenger

    async def restore_champion(self, name: str, bundle: Path) -> None:
        """Load the former champion of a watch that has none on this server: to compare with and to go back to.

        No other change waits for it. If another version answers once it is loaded, it is stopped again.

        Raises:
            BertlineError: the bundle cannot be used.
        """
        trial = self._trials.get(name)
        if trial is None or trial.role != "watch" or trial.champion is not None:
            return
        champion = await asyncio.create_task(self._make(name, bundle), name="restore", context=Context())
        if self._current.get(name) is not trial.challenger:
            self._retire(champion)
            return
        before = self._previous.get(name)
        trial.champion = self._previous[name] = champion
        self._retire(before)

    async def roll_back(self, name: str) -> Version:
        """Exchange the current version with the previous one; a second call undoes it.

        Raises:
            Problem: the model is unknown, or has no previous version.
        """
        async with self._changing:
            current, previous = self.current(name), self._previous.get(name)
            if previous is None:
                raise Problem(
                    Code.CANNOT_LOAD, f"{name} has no version to go back to: none was loaded since the start."
                )
            self._current[name], self._previous[name] = previous, current
            self._bundles[name] = previous.path
            self.end_trial(name)
            self._listener.exchanged(name)
            return previous

    def lost(self, version: Version) -> bool:
        """Handle a version that has failed for good; whether the server cannot go on without it.

        A previous one is forgotten, and a challenger is rolled back by its rollout.
        """
        for trial in self._trials.values():
            if version is trial.challenger and trial.champion is not None:
                trial.lost = "its process cannot be kept alive"
                return False
        for name in [name for name, one in self._previous.items() if one is version]:
            self._retire(self._previous.pop(name))
        return any(one is version for one in self)

    def _retire(self, version: Version | None) -> None:
        """Stop a version that is in no use any more."""
        if version is not None and not any(version is one for one in self._used()):
            task = asyncio.create_task(self._stop(version), name="retire")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _used(self) -> list[Version]:
        challengers = [one.challenger for one in self._trials.values()]
        return [*self._current.values(), *self._previous.values(), *challengers]

    async def _stop(self, version: Version) -> None:
        await version.stop()
        if not any(version.path == one.path for one in self._used()):
            self._listener.retired(version.path)
