"""The served models by name: the current version of each, the previous one, and how they are exchanged.

A request uses one version from start to end. A new version is loaded, checked and warmed up beside the old one, and
replaces it in one assignment. The old version and its worker stay for an instant rollback until the next one is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertline.errors import BertlineError, UsageError
from bertline.serving.model_names import fault_of
from bertline.serving.problems import Code, Problem

if TYPE_CHECKING:
    from bertline.serving.version import Version

Make = Callable[[str, Path], Coroutine[Any, Any, "Version"]]


class Models:
    """The table of models, the default one first.

    Args:
        bundles: directory of each, by name.
        make: loads a version and waits until it is ready.

    Raises:
        UsageError: there is no model, or a name is invalid.
    """

    def __init__(self, bundles: Mapping[str, Path], make: Make) -> None:
        if not bundles:
            raise UsageError("there is no model to serve: name at least one bundle")
        for name in bundles:
            if fault := fault_of(name):
                raise UsageError(f"the model name {name!r} {fault}: choose another, as in NAME=BUNDLE")
        self._bundles, self._make = dict(bundles), make
        self._current: dict[str, Version] = {}
        self._previous: dict[str, Version] = {}
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
        versions = [*self._current.values(), *self._previous.values()]
        await asyncio.gather(*(one.stop() for one in versions), *self._retiring, return_exceptions=True)

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

    def previous(self, name: str) -> Version | None:
        """The version that a rollback would restore."""
        return self._previous.get(name)

    def named(self, name: str | None, field: str | None = "model") -> Version:
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
                self._retire(self._previous.get(name))
                self._previous[name] = old
            return new

    async def roll_back(self, name: str) -> Version:
        """Exchange the current version with the previous one; a second call undoes it.

        Raises:
            Problem: the model is unknown, or has no previous version.
        """
        async with self._changing:
            current, previous = self.named(name), self._previous.get(name)
            if previous is None:
                raise Problem(
                    Code.CANNOT_LOAD, f"{name} has no version to go back to: none was loaded since the start."
                )
            self._current[name], self._previous[name] = previous, current
            return previous

    def lost(self, version: Version) -> bool:
        """Handle a version that has failed for good: forget it if it is a previous one; whether it is a current one."""
        for name in [name for name, one in self._previous.items() if one is version]:
            self._retire(self._previous.pop(name))
        return any(one is version for one in self)

    def _retire(self, version: Version | None) -> None:
        if version is not None:
            task = asyncio.create_task(version.stop(), name="retire")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
