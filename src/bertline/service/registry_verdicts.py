"""The verdicts of gates that the registry has kept, as a server shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic_core import to_json

from bertline.bundle.verdict import Verdict
from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.verdicts import Verdicts
from bertline.serving.problems import Code, Problem

MOST_VERDICTS = 20  # of a model, the newest; each may have megabytes

_Key = tuple[str, tuple[tuple[str, str], ...]]  # a model, and its versions by digest


class RegistryVerdicts:
    """Verdicts on the bundles of a registry.

    A registry that is away keeps a thread waiting, and a large verdict takes long to read. So all is done on a thread
    of its own, since authentication needs the default ones, and whoever asks meanwhile shares the response.

    Args:
        place: URL of the registry.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verdicts")
        self._readings: dict[_Key, asyncio.Future[bytes]] = {}

    async def body(self, model: str, versions: Mapping[str, str]) -> bytes:
        """The newest verdicts on versions of a model, as JSON.

        Args:
            model: its name for clients.
            versions: of it, by the digests of their bundles.

        Raises:
            Problem: the registry cannot be read.
        """
        key = model, tuple(versions.items())
        reading = self._readings.get(key)
        if reading is None:
            loop = asyncio.get_running_loop()
            reading = self._readings[key] = loop.run_in_executor(self._thread, self._read, model, dict(versions))
            reading.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(reading)

    def _end(self, key: _Key, done: asyncio.Future[bytes]) -> None:
        del self._readings[key]
        if not done.cancelled():
            done.exception()  # whoever asked may have left

    def _read(self, model: str, versions: Mapping[str, str]) -> bytes:
        try:
            with Database(self._place) as database:
                newest = [one.verdict for one in Verdicts(database).about(*versions, most=MOST_VERDICTS)]
        except RegistryError as error:
            raise Problem(Code.NOT_READY, f"{str(error).removesuffix('.')}.") from None
        return to_json({"model": model, "verdicts": [_present(versions[one.challenger], one) for one in newest]})


def _present(version: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "hash": verdict.hash,
        "version": version,
        "challenger": verdict.challenger,
        "champion": verdict.champion,
        "decision": verdict.decision,
        "created": verdict.created,
        "rows": verdict.rows,
        "reason": verdict.reason,
        "checks": [one.model_dump(mode="json") for one in verdict.checks],
    }
