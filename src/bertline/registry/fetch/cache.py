"""Fetched bundles on this machine, by the hash of their manifest, within a bound in bytes.

    <cache>/bundles/<hash>/             a bundle; a process that uses it holds a shared lock until it ends
    <cache>/bundles/.<hash>.pulling/    one on its way

The least recently used go first. A bundle or a transfer that a process holds is never removed. Locks are the operating
system's (``flock``), so those of a process that was killed end with it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bertline.bundle import Manifest, load
from bertline.bundle.fields import MANIFEST
from bertline.bundle.verify import SIGNATURE
from bertline.destination import as_destination_error, replace_file
from bertline.destination.checks import megabytes
from bertline.errors import BundleError, StoreError
from bertline.registry.fetch.pull import WHAT, held, is_same

_NAME = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}\.pulling|\.removed-[0-9a-f]{8}")
_USED: dict[Path, int] = {}  # descriptors whose locks last as long as this process


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle in the cache, or a transfer that has not ended.

    Attributes:
        path: its directory.
        bytes: on the disk.
        used: when it was last opened, in seconds since 1970.
        is_held: a process uses it.
    """

    path: Path
    bytes: int
    used: float
    is_held: bool


class Cache:
    """The cache in a directory.

    Args:
        directory: made when it is first written.
        limit_bytes: of all bundles together.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self.directory, self._limit_bytes = directory / "bundles", limit_bytes

    def use(self, checksum: str) -> Path | None:
        """The directory of a bundle, which stays there until this process ends; None if it is not here.

        Every hash is compared. A damaged bundle is removed.

        Raises:
            StoreError: it is damaged and another process uses it.
        """
        path = self.directory / checksum
        if not self._hold(path):
            return None
        try:
            load(path, checksum=checksum)
        except BundleError as error:
            os.close(_USED.pop(path))
            if not self._remove(path):
                raise StoreError(
                    f"{error}; another process uses it: stop that one, then run the command again"
                ) from None
            return None
        with suppress(OSError):  # another user's cache
            os.utime(path)
        return path

    def add(self, manifest: Manifest, fill: Callable[[Path], None]) -> Path:
        """Put a bundle into the cache, unless it is there; waits for a process that does the same.

        Args:
            manifest: of the bundle.
            fill: makes the directory that it is given the bundle.

        Raises:
            StoreError: the bundle is larger than the cache, or too much of it is in use.
            DestinationError: it cannot be written.
        """
        path = self.directory / manifest.checksum
        with as_destination_error(path, WHAT):
            while True:
                with held(self.directory / f".{manifest.checksum}.pulling") as descriptor:
                    if (there := self.use(manifest.checksum)) is not None:
                        return there
                    self._make_room(sum(file.bytes for file in manifest.files.values()), manifest)
                    staging = self.directory / f".{manifest.checksum}.pulling"
                    fill(staging)
                    staging.rename(path)
                    _USED[path] = _shared(os.dup(descriptor))
                if is_same(path, _USED[path]):
                    return path
                os.close(_USED.pop(path))  # removed before our lock was changed to a shared one

    def sign(self, checksum: str, signature: bytes | None) -> None:
        """Keep the newest signatures of a bundle beside it: they are not part of its hash."""
        path = self.directory / checksum / SIGNATURE
        if signature is not None and (not path.exists() or path.read_bytes() != signature):
            with as_destination_error(path, "the signature"):
                replace_file(path, signature)

    def entries(self) -> list[Entry]:
        """Everything in the cache, the least recently used first."""
        if not self.directory.is_dir():
            return []
        paths = [path for path in self.directory.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(filter(None, map(_entry, paths)), key=lambda entry: entry.used)

    def clear(self, limit_bytes: int = 0) -> list[Entry]:
        """Remove the least recently used bundles until at most ``limit_bytes`` are left; returns those removed."""
        entries = self.entries()
        total, removed = sum(entry.bytes for entry in entries), []
        for entry in entries:
            if total <= limit_bytes:
                break
            if self._remove(entry.path):
                total -= entry.bytes
                removed.append(entry)
        return removed

    def _make_room(self, needed_bytes: int, manifest: Manifest) -> None:
        if needed_bytes > self._limit_bytes:
            raise StoreError(
                f"the bundle {manifest.name} has {megabytes(needed_bytes)}, but the cache {self.directory} is limited "
                f"to {megabytes(self._limit_bytes)}: raise BERTLINE_STORE_CACHE_BYTES, or use models pull --out"
            )
        own = f".{manifest.checksum}.pulling"
        others = self._limit_bytes - needed_bytes
        with _alone(self.directory):
            self.clear(others + sum(entry.bytes for entry in self.entries() if entry.path.name == own))
        left = sum(entry.bytes for entry in self.entries() if entry.path.name != own)
        if left > others:
            raise StoreError(
                f"the bundle {manifest.name} needs {megabytes(needed_bytes)} of the cache {self.directory}, but "
                f"running processes use {megabytes(left)} of its {megabytes(self._limit_bytes)}: stop one, or raise "
                "BERTLINE_STORE_CACHE_BYTES"
            )

    def _hold(self, path: Path) -> bool:
        if path in _USED and is_same(path, _USED[path]):
            return True
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return False
        _shared(descriptor)
        if not is_same(path, descriptor) or not (path / MANIFEST).exists():
            os.close(descriptor)
            return False
        _USED[path] = descriptor
        return True

    def _remove(self, path: Path) -> bool:
        """Whether nobody held it, and it is gone; never half of it under its name."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_same(path, descriptor):
                return False
            aside = path.with_name(f".removed-{secrets.token_hex(4)}")
            path.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def release(path: Path) -> None:
    """Stop using a bundle of the cache before this process ends; of another directory, do nothing."""
    for used in [one for one in _USED if one.resolve() == path.resolve()]:
        os.close(_USED.pop(used))


def _shared(descriptor: int) -> int:
    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _entry(path: Path) -> Entry | None:
    try:
        size = sum(one.lstat().st_size for one in path.rglob("*"))
        used = path.stat().st_mtime
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # removed meanwhile
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_held = False
    except OSError:
        is_held = True
    finally:
        os.close(descriptor)
    return Entry(path, size, min(used, time.time()), is_held)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Within: no other process makes room, so that two do not each count on the same bytes."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
