"""The rollouts that the registry decides for all its servers, as one of them shows and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.rollout import Rollout, Tally
from bertline.registry.rollouts import Rollouts
from bertline.service.shared_reads import SharedReads
from bertline.serving.problems import Code, Problem

Last = tuple[Rollout, Mapping[int, Tally]]
Result = TypeVar("Result")

THREADS = 2  # so that a read of a registry that is slow does not hold up an administrator who ends a rollout


class RegistryRollouts:
    """Rollouts of the models that follow a champion.

    However many pages show one, the registry is read for it once in two seconds, as often as servers count. A registry
    that is away keeps threads waiting, so they are its own: authentication needs the default ones.

    Args:
        names: the models' names in the registry, by their names for clients.
        place: URL of the registry.
    """

    def __init__(self, names: Mapping[str, str], place: str) -> None:
        self._names, self._place = names, place
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rollouts of registry")
        self._shared = SharedReads[str, Last | None](lambda name: self._in_thread(lambda: self._read(name)))

    def __contains__(self, name: str) -> bool:
        return name in self._names

    async def last(self, name: str) -> Last | None:
        """The last rollout of a model, and what all servers have counted, by step; some seconds old at most.

        Raises:
            Problem: the registry cannot be read.
        """
        return await self._shared.get(name)

    async def abort(self, name: str, by: str) -> None:
        """End the rollout of a model, and record who did.

        Raises:
            Problem: no rollout of the model goes on, or the registry cannot be changed.
        """
        try:
            await self._in_thread(lambda: self._abort(name, by))
        finally:
            self._shared.forget(name)

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _read(self, name: str) -> Last | None:
        try:
            with Database(self._place) as database:
                rollouts = Rollouts(database)
                last = rollouts.last(self._names[name])
                return None if last is None else (last, rollouts.totals(last))
        except RegistryError as error:
            raise Problem(Code.NOT_READY, f"{str(error).removesuffix('.')}.") from None

    def _abort(self, name: str, by: str) -> None:
        try:
            with Database(self._place) as database:
                Rollouts(database, by).abort(self._names[name])
        except RegistryError as error:
            message = f"Nothing was changed: {str(error).removesuffix('.')}."
            raise Problem(Code.CANNOT_LOAD, message) from None
