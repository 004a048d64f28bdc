"""One part of a bundle, transferred: resumed where it stopped, tried again, verified as it arrives, then renamed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bertline.bundle.swap import flush
from bertline.bundle.tree import CHUNK_BYTES
from bertline.errors import StoreError
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.source import Altered, LinkError, Part, Source

PARTIAL = ".partial"  # directory of unfinished parts, below the staging directory
ATTEMPTS = 4  # in a row without a byte
BACKOFF_S = 0.2  # doubled with each of them


class Stopped(StoreError):
    """Another part failed, or the user interrupted the transfer."""


class Transfer:
    """The parts of one bundle on their way to a staging directory.

    Args:
        source: where they come from.
        address: the source's, for messages.
        staging: where they go.
        arrived: called with the number of bytes of each chunk, those from earlier runs first and alone with False.
    """

    def __init__(
        self, source: Source, address: Address, staging: Path, arrived: Callable[[int, bool], None] = lambda _, __: None
    ) -> None:
        self._source, self._address, self._staging, self._arrived = source, address, staging, arrived
        self.stop = threading.Event()

    def fetch(self, part: Part) -> None:
        """Transfer a part, unless it is there already.

        Raises:
            Stopped: ``stop`` was set.
            StoreError: it cannot be transferred, or its bytes have another hash.
            OSError: it cannot be written.
        """
        final = self._staging / part.path
        if final.is_file() and final.stat().st_size == part.bytes:  # renamed after it had been verified
            self._arrived(part.bytes, False)
            return
        name = hashlib.sha256(f"{part.sha256} {part.path}".encode()).hexdigest()
        partial = self._staging / PARTIAL / name
        partial.parent.mkdir(exist_ok=True)
        if partial.exists() and partial.stat().st_size > part.bytes:
            partial.unlink()
        has_resumed = partial.exists()
        try:
            self._complete(part, partial)
        except Altered:
            partial.unlink(missing_ok=True)
            if not has_resumed:
                raise
            self._complete(part, partial)  # what an earlier run had left may be at fault
        final.parent.mkdir(parents=True, exist_ok=True)
        flush(partial)
        partial.rename(final)

    def _complete(self, part: Part, partial: Path) -> None:
        with partial.open("a+b", buffering=0) as file:
            digest = self._hash_of(file)
            failures = 0
            while file.tell() < part.bytes:
                start = file.tell()
                try:
                    self._append(part, file, digest)
                except LinkError:
                    failures = failures + 1 if file.tell() == start else 0
                    if failures == ATTEMPTS:
                        raise
                    if self.stop.wait(BACKOFF_S * 2**failures):
                        raise Stopped(f"the transfer from {self._address} was stopped") from None
        if digest.hexdigest() != part.sha256:
            raise Altered(
                f"{part.path} at {self._address} is not the file that its manifest lists (another SHA-256): it was "
                "altered there or on the way; pull it again, and if that fails, push the bundle again with --overwrite"
            )

    def _append(self, part: Part, file: BinaryIO, digest: hashlib._Hash) -> None:
        for chunk in self._source.read(part, file.tell()):
            if self.stop.is_set():
                raise Stopped(f"the transfer from {self._address} was stopped")
            room = part.bytes - file.tell()
            kept = chunk[:room]
            _write(file, kept)
            digest.update(kept)
            self._arrived(len(kept), True)
            if len(chunk) >= room:
                return
        raise LinkError(
            f"{part.path} of {self._address} ended after {file.tell():,} of {part.bytes:,} bytes: check the connection "
            "and run the command again, it goes on from there"
        )

    def _hash_of(self, file: BinaryIO) -> hashlib._Hash:
        """Of what is there already; the file is at its end afterwards."""
        digest = hashlib.sha256()
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            self._arrived(len(chunk), False)
        return digest


def _write(file: BinaryIO, chunk: bytes) -> None:
    """All of it: an unbuffered file may take less at a time."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
