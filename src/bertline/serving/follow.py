"""Follows aliases of the registry: when one names another version, that version is fetched, verified and exchanged.

The alias is looked up every few seconds, by four short queries. The old version answers until the new one is warmed
up, and goes on if the new one cannot be used or the registry is away. A model that an administrator changes by hand
stays so until its alias moves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import TypeVar

from bertline.errors import BertlineError
from bertline.monitoring.logs.error_path import path_of
from bertline.registry.catalogue import Catalogue, ModelVersion
from bertline.registry.database import Database
from bertline.registry.fetch.cache import release
from bertline.registry.reference import Reference
from bertline.registry.resolve import locate
from bertline.serving.listeners import Listener
from bertline.serving.models import Models
from bertline.serving.problems import Problem

Result = TypeVar("Result")

log = logging.getLogger(__name__)

FETCHES = 4  # at a time, so that one slow store does not hold up the others
AGAIN_S = 30.0  # until a version that could not be used is tried again


@dataclass(frozen=True, slots=True)
class Followed:
    """A model that follows an alias: the alias, and the digest of the version that it named at first."""

    reference: Reference
    digest: str


class Stopping(BertlineError):
    """The server stops, so nothing more is fetched."""


class Releases(Listener):
    """Lets go of bundles in the cache that no version uses any more, so that others may take their room."""

    def retired(self, bundle: Path) -> None:
        """See ``Listener.retired``."""
        release(bundle)


class Follower:
    """Keeps models at what their aliases name.

    Args:
        models: that are served.
        followed: by the models' names for clients.
        place: URL of the registry.
        every_s: between two looks.
        signed_by: key files, one of which must have signed a bundle; empty: signatures are not required.

    Attributes:
        followed_s: when each model was last found or brought to be what its alias names, in Unix time.
    """

    def __init__(
        self,
        models: Models,
        followed: Mapping[str, Followed],
        place: str,
        *,
        every_s: float,
        signed_by: Sequence[Path] = (),
    ) -> None:
        self._models, self._every_s, self._signed_by = models, every_s, signed_by
        self._references = {name: one.reference for name, one in followed.items()}
        self._seen = {name: one.digest for name, one in followed.items()}
        self.followed_s = dict.fromkeys(self._references, time())
        self._later_s: dict[str, float] = {}
        self._faults: dict[str, str] = {}
        self._database = Database(place)
        self._catalogue = Catalogue(self._database)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="follow")
        self._fetching = ThreadPoolExecutor(FETCHES, thread_name_prefix="fetch of alias")
        self._stopping = False

    async def run(self) -> None:
        """Look and exchange until this is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._references:
                    group.create_task(self._follow(name), name="follow")
        finally:
            self._stopping = True  # ends a transfer at its next bytes
            self._fetching.shutdown(wait=False, cancel_futures=True)
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._database.close()

    async def _follow(self, name: str) -> None:
        """Look at one alias again and again; a download takes its time, and holds up no other model."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look(name)

    async def look(self, name: str) -> None:
        """Look up one alias, and exchange the model if it names another version than before."""
        if monotonic() < self._later_s.get(name, 0.0):
            return
        reference = self._references[name]
        try:
            version = await _in(self._executor, lambda: self._catalogue.version(reference))
            digest, _ = version.bundle()
            if digest != self._seen[name]:
                await self._exchange(name, version, digest)
        except (BertlineError, Problem) as error:
            self._failed(name, error.message if isinstance(error, Problem) else str(error))
        except Exception as error:  # a bug: the server answers on, and looks again
            self._failed(name, f"{type(error).__name__} at {path_of(error)}")
        else:
            self.followed_s[name] = time()
            self._recovered(name)

    async def _exchange(self, name: str, version: ModelVersion, digest: str) -> None:
        previous, trial = self._models.previous(name), self._models.trials.get(name)
        try:
            if self._models.current(name).checksum == digest:
                pass  # a rollout has changed it already
            elif trial is not None and trial.challenger.checksum == digest:
                await self._models.adopt(name)  # it answers already
            elif previous is not None and previous.checksum == digest:
                await self._models.roll_back(name)  # its worker still runs, so this takes no time
            else:
                located = await _in(self._fetching, lambda: locate(version, self._signed_by, self._watch))
                await self._models.load(name, located.path)
        except Exception:
            self._later_s[name] = monotonic() + AGAIN_S
            raise
        self._seen[name] = digest
        log.info("%s is served as %s now: %s (%s)", version, name, self._references[name], digest[:12])

    def _watch(self, _here: int, _total: int) -> None:
        if self._stopping:
            raise Stopping("the server stops")

    def _failed(self, name: str, fault: str) -> None:
        """Once for each fault: the same one comes back every few seconds."""
        if self._faults.get(name) != fault:
            log.warning("%s stays as it is, %s cannot be followed: %s", name, self._references[name], fault)
        self._faults[name] = fault

    def _recovered(self, name: str) -> None:
        if self._faults.pop(name, None) is not None:
            log.info("%s follows %s again", name, self._references[name])


async def _in(executor: Executor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(executor, work)
