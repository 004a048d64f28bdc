"""A bundle fetched from an address: signature first, then its files side by side, then one rename."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bertline.bundle import Manifest, check_target, load
from bertline.bundle.fields import MANIFEST
from bertline.bundle.manifest import parse
from bertline.bundle.signing import PublicKey, fitting_signature, parse_signatures
from bertline.bundle.store import install
from bertline.bundle.swap import flush
from bertline.bundle.verify import SIGNATURE
from bertline.destination import as_destination_error, check_room, is_full, replace_file
from bertline.errors import BundleError, StoreError
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.part import PARTIAL, Stopped, Transfer
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Source

WHAT = "the bundle"
POLL_S = 0.1  # while another process fetches the same bundle

Watch = Callable[[int, int], None]  # bytes that are here, bytes in all


@dataclass(frozen=True, slots=True)
class Pulled:
    """A bundle that was fetched.

    Attributes:
        path: its directory.
        manifest: of the bundle.
        received_bytes: transferred for it now; less than its size if a transfer was resumed.
    """

    path: Path
    manifest: Manifest
    received_bytes: int = 0


def checked_manifest(source: Source, address: Address, trusted: Sequence[PublicKey]) -> Manifest:
    """The manifest of a bundle at an address; with ``trusted`` its signature is verified before it is parsed.

    Raises:
        BundleError: it is damaged, of a newer format, or lacks a required signature.
        StoreError: it is not the pinned one.
    """
    if trusted:
        signatures = () if source.signature is None else parse_signatures(source.signature, str(address))
        fitting_signature(source.manifest, signatures, trusted, str(address))
    manifest = parse(source.manifest, str(address))
    if address.scheme in ("s3", "file") and address.pin not in (None, manifest.checksum):
        raise StoreError(
            f"{address} holds the bundle {manifest.checksum} and not the pinned one: push that one there, or pin this"
        )
    return manifest


def pull(
    source: Source,
    address: Address,
    out: Path,
    settings: StoreSettings,
    trusted: Sequence[PublicKey] = (),
    *,
    overwrite: bool = False,
    watch: Watch = lambda _, __: None,
) -> Pulled:
    """Fetch a bundle to a directory, which appears whole or not at all.

    An interrupted transfer leaves a hidden directory beside ``out``, from which the next one goes on. The same bundle,
    intact at ``out``, is left as it is: a container that starts again repeats the command.

    Raises:
        BundleError: the bundle is damaged or not signed, or ``out`` holds something.
        DestinationError: it cannot be written.
        StoreError: it cannot be fetched.
    """
    manifest = checked_manifest(source, address, trusted)
    if _is_there(out, manifest):
        return Pulled(out, manifest)
    check_target(out, overwrite=overwrite)
    final = out.resolve()
    staging = final.with_name(f".{final.name}.pulling-{manifest.checksum[:12]}")
    with as_destination_error(out, WHAT), held(staging):
        if _is_there(out, manifest):  # we waited for another process that fetched it
            return Pulled(out, manifest)
        check_target(out, overwrite=overwrite)
        received = fill(source, address, manifest, staging, settings, watch)
        install(staging, final, overwrite=overwrite)
    return Pulled(out, manifest, received)


def _is_there(out: Path, manifest: Manifest) -> bool:
    try:
        load(out, checksum=manifest.checksum)
    except BundleError:
        return False
    return True


def fill(
    source: Source, address: Address, manifest: Manifest, staging: Path, settings: StoreSettings, watch: Watch
) -> int:
    """Make ``staging`` the bundle; returns the number of bytes received. The caller holds the directory.

    Raises:
        DestinationError: the disk is full; what was written is removed.
        StoreError: a part cannot be fetched; what arrived stays for the next attempt.
    """
    parts = source.parts(manifest)
    total, count = sum(part.bytes for part in parts), _Count(watch, sum(part.bytes for part in parts))
    present = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
    check_room(staging, WHAT, max(0, total - present), largest_bytes=max((part.bytes for part in parts), default=0))
    try:
        _fetch_all(Transfer(source, address, staging, count), source, manifest, settings.parallel)
        if source.signature is not None:
            (staging / SIGNATURE).write_bytes(source.signature)
        source.unpack(staging, manifest)
        shutil.rmtree(staging / PARTIAL, ignore_errors=True)
        replace_file(staging / MANIFEST, source.manifest)
        for folder in sorted({path.parent for path in staging.rglob("*")} | {staging}, reverse=True):
            flush(folder)
    except OSError as error:
        if is_full(error):
            shutil.rmtree(staging, ignore_errors=True)
        raise
    load(staging, verify=False)  # nothing is missing, and nothing is there that the manifest does not list
    return count.received


class _Count:
    """The bytes so far, added up by several threads."""

    def __init__(self, watch: Watch, total: int) -> None:
        self._watch, self._total, self._lock = watch, total, threading.Lock()
        self._here, self.received = 0, 0

    def __call__(self, size: int, is_new: bool) -> None:
        with self._lock:
            self._here += size
            self.received += size if is_new else 0
            self._watch(min(self._here, self._total), self._total)


def _fetch_all(transfer: Transfer, source: Source, manifest: Manifest, parallel: int) -> None:
    parts = sorted(source.parts(manifest), key=lambda part: -part.bytes)  # the longest first
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="pull")
    try:
        futures = [pool.submit(transfer.fetch, part) for part in parts]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        transfer.stop.set()
        errors = [error for one in done if (error := one.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
            raise error
    finally:
        transfer.stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def held(directory: Path) -> Iterator[int]:
    """Within: the directory exists, and no other process holds it; waits for one that does. Yields its descriptor."""
    descriptor = _held(directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        with suppress(OSError):  # nothing arrived
            directory.rmdir()


def _held(directory: Path) -> int:
    while True:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(directory, os.O_RDONLY)
        except (FileExistsError, FileNotFoundError):  # its holder moved it to its place just now
            if directory.is_file():
                raise
            continue
        while is_same(
            directory, descriptor
        ):  # its holder may finish it and move it to its place, where it stays locked
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(POLL_S)
                continue
            except OSError:  # some network file systems have no locks
                pass
            if is_same(directory, descriptor):
                return descriptor
        os.close(descriptor)


def is_same(directory: Path, descriptor: int) -> bool:
    """Whether an open directory is still at its path: another process may have moved or removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), directory.stat())
    except FileNotFoundError:
        return False
