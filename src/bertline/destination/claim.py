"""Allow one writer at a time, with a lock that ends with its process and so is never stale.

It is an operating-system lock (``flock``) on a hidden file beside the output, released however the process ends: a lock
file left behind by a crash or a power cut locks nothing, whatever it says. Network file systems pass the lock on to
their server (NFS since Linux 2.6.12); on a file system without locks, nothing is locked.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from bertline.destination.checks import resolved
from bertline.destination.files import as_destination_error
from bertline.errors import DestinationError

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_SHOWN = 100  # characters of the other command


@contextmanager
def claim(path: Path, what: str) -> Iterator[None]:
    """Lock ``path`` for this process within the context; missing parent directories are created.

    Args:
        path: of the file or directory to write; of a link, the target is locked.
        what: is written there, for the message.

    Raises:
        DestinationError: another process, which the message names, holds the lock, or it cannot be created.
    """
    final = resolved(path, what)
    with as_destination_error(path, what):
        made = [one for one in final.parents if not one.exists()]
        final.parent.mkdir(parents=True, exist_ok=True)
        lock = final.with_name(f".{final.name}.lock")
        descriptor = _locked(lock, path, what)
    try:
        yield
    finally:
        with suppress(OSError):  # another user's file in a directory like /tmp stays, but locks nothing once released
            lock.unlink()  # before the release, so that the next holder sees that it is gone
        os.close(descriptor)
        for one in made:
            with suppress(OSError):  # something was written
                one.rmdir()


def _locked(lock: Path, path: Path, what: str) -> int:
    while True:
        descriptor = _opened(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise DestinationError(
                f"{path} is being written by {holder}: wait until it ends, stop it, or choose another place for {what}"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise
        if _is_still(lock, descriptor):
            _sign(descriptor)
            return descriptor
        os.close(descriptor)  # its holder ended and removed it between our two steps


def _opened(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except PermissionError:  # another user's file can still be locked
        return os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.lstat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    """Write the holder into the file; a full disk does not prevent the lock."""
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    known = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command if len(command) <= _SHOWN else f"{command[:_SHOWN]}…",
    }
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(known).encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        known = json.loads(os.pread(descriptor, 4096, 0))
        place = "" if known["host"] == socket.gethostname() else f" on {known['host']}"
        return f"process {int(known['pid'])}{place} ({known['command']}, since {known['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
