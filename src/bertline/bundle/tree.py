"""The plain files under a directory, and their hashes; links and special files are never opened."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bertline.bundle.manifest import FileRecord
from bertline.errors import BundleError

CHUNK_BYTES = 4 * 2**20


def entries(directory: Path) -> dict[str, os.stat_result]:
    """Everything below ``directory`` but directories, by POSIX path relative to it; links as links."""
    files = {path.relative_to(directory).as_posix(): status for path, status in _walk(directory)}
    return dict(sorted(files.items()))


def _walk(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with os.scandir(directory) as listing:
        for entry in listing:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if os.access(path, os.R_OK | os.X_OK):  # a volume's lost+found is root's
                    yield from _walk(path)
            else:
                yield path, entry.stat(follow_symlinks=False)


def require_plain(status: os.stat_result, path: str, origin: str) -> None:
    """Nothing but a regular file will do.

    Raises:
        BundleError: ``path`` is a symbolic link, a pipe, a socket or a device.
    """
    if stat.S_ISLNK(status.st_mode):
        raise BundleError(
            f"{path} in {origin} is a symbolic link, and a bundle holds plain files only: "
            "copy the directory with its links resolved (cp -rL)"
        )
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} in {origin} is not a plain file: remove it")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal, read in chunks of ``CHUNK_BYTES``."""
    digest, buffer = hashlib.sha256(), bytearray(CHUNK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(view[:size])
    return digest.hexdigest()


def record(path: Path) -> FileRecord:
    """Hash and size of a file."""
    return FileRecord(sha256=sha256(path), bytes=path.stat().st_size)
