"""The verdicts of gates that the registry has kept, as a server shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from bertline.bundle.signing import PublicKey, read_public_key
from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.verdicts import Kept, Verdicts
from bertline.serving.problems import Code, Problem

MOST_VERDICTS = 20  # of a model, the newest; each may have megabytes

_Key = tuple[str, tuple[tuple[str, str], ...]]  # a model, and its versions by digest


class RegistryVerdicts:
    """Verdicts on the bundles of a registry.

    A registry that is away keeps a thread waiting, and a large verdict takes long to read. So all is done on a thread
    of its own, since authentication needs the default ones, and whoever asks meanwhile shares the response.

    Args:
        place: URL of the registry.
        signed_by: key files, by which signatures are verified.
    """

    def __init__(self, place: str, signed_by: Sequence[Path] = ()) -> None:
        self._place, self._trusted = place, [read_public_key(path) for path in signed_by]
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
                newest = Verdicts(database).about(*versions, most=MOST_VERDICTS)
        except RegistryError as error:
            raise Problem(Code.NOT_READY, f"{str(error).removesuffix('.')}.") from None
        shown = [_present(versions[one.challenger], one, self._trusted) for one in newest]
        return to_json({"model": model, "verdicts": shown})


def _present(version: str, kept: Kept, trusted: Sequence[PublicKey]) -> dict[str, Any]:
    signed, verdict = kept.signed, kept.signed and kept.signed.verdict
    return {
        "hash": kept.hash,
        "version": version,
        "challenger": kept.challenger,
        "champion": verdict and verdict.champion,
        "decision": verdict and verdict.decision,
        "created": kept.created,
        "rows": verdict and verdict.rows,
        "reason": verdict and verdict.reason,
        "checks": [one.model_dump(mode="json") for one in verdict.checks] if verdict else [],
        "changed": signed is None,
        "signature": signed and signed.signature(trusted),
        "signed_by": [one.key for one in signed.signatures] if signed else [],
    }
