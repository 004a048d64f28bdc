"""Replace a directory by a finished one. A crash at any moment leaves at least one of the two whole."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux renameat2(2), since 3.15
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV)


def swap(staging: Path, target: Path) -> Path:
    """Move ``staging`` to ``target``, an existing directory; returns the new place of the old one.

    The two are exchanged atomically where the system can (Linux). Elsewhere two renames: a crash between them
    leaves the new directory under its staging name and the old one as ``.<name>.previous-…``, both whole.

    Raises:
        OSError: neither worked; ``target`` is then as it was.
    """
    if _exchange(staging, target):
        return staging
    aside = target.with_name(f".{target.name}.previous-{secrets.token_hex(4)}")
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    return aside


def _exchange(first: Path, other: Path) -> bool:
    """Exchange the two names atomically; False if the system or the file system cannot."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(first), os.fsencode(other)
    if not hasattr(libc, "renameat2"):
        return False
    if not libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], ctypes.c_uint(_RENAME_EXCHANGE)):
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(other))


def flush(path: Path) -> None:
    """Write a file's bytes, or a directory's names, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot sync a directory
            raise
    finally:
        os.close(descriptor)
