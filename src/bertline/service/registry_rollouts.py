"""The rollouts that the registry decides for all its servers, as one of them shows and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.rollout import Rollout, Tally
from bertline.registry.rollouts import Rollouts
from bertline.serving.problems import Code, Problem

SHARED_S = 2.0  # age of an answer that is given again: servers count no more often by default, and pages ask every 5 s

Last = tuple[Rollout, Mapping[int, Tally]]


@dataclass(frozen=True, slots=True)
class _Reading:
    began_s: float
    task: asyncio.Task[Last | None]

    @property
    def shared(self) -> bool:
        """Whether its answer is still to come, or is new."""
        return not self.task.done() or monotonic() - self.began_s < SHARED_S


class RegistryRollouts:
    """Rollouts of the models that follow a champion.

    However many pages show one, the registry is read for it once in ``SHARED_S``.

    Args:
        names: the models' names in the registry, by their names for clients.
        place: URL of the registry.
    """

    def __init__(self, names: Mapping[str, str], place: str) -> None:
        self._names, self._place = names, place
        self._readings: dict[str, _Reading] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    async def last(self, name: str) -> Last | None:
        """The last rollout of a model, and what all servers have counted, by step; ``SHARED_S`` old at most.

        Raises:
            Problem: the registry cannot be read.
        """
        reading = self._readings.get(name)
        if reading is None or not reading.shared:
            task = asyncio.create_task(asyncio.to_thread(self._read, name), name="read rollout")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever asked may have left
            reading = self._readings[name] = _Reading(monotonic(), task)
        return await asyncio.shield(reading.task)

    async def abort(self, name: str, by: str) -> None:
        """End the rollout of a model, and record who did.

        Raises:
            Problem: no rollout of the model goes on, or the registry cannot be changed.
        """
        try:
            await asyncio.to_thread(self._abort, name, by)
        finally:
            self._readings.pop(name, None)  # it shows what was before

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
