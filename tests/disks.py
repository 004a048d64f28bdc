"""Small file systems of their own, which only root can mount: without that right, a test that needs one is skipped."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def disk(at: Path, *, megabytes: int, read_only: bool = False) -> Iterator[Path]:
    """A file system in memory at ``at``, which is made."""
    at.mkdir()
    options = f"size={megabytes}m,{'ro' if read_only else 'rw'}"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", at], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small file system needs root (CAP_SYS_ADMIN)")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


def fill(place: Path) -> Path:
    """Leave no byte free; returns the file to remove."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    assert os.statvfs(place).f_bavail == 0
    return filler
