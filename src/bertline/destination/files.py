"""Write files atomically, and turn the operating system's errors into one sentence."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertline.errors import DestinationError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHOWN = 160  # characters of a path


def is_full(error: OSError) -> bool:
    """Whether the disk, a quota or the limit on file sizes is exhausted."""
    return error.errno in _FULL


def remedy(error: OSError) -> str:
    """The remedy, as the end of a message."""
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    return "free some space, or choose another place" if is_full(error) else "choose another place"


def shortened(path: Path) -> str:
    """A path for a message: on one line, with the middle of a long one left out."""
    shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(path))
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 40]}…{shown[-30:]}"


@contextmanager
def as_destination_error(path: Path, what: str) -> Iterator[None]:
    """Turn an OSError within the context into one sentence about writing ``what`` to ``path``.

    Raises:
        DestinationError: instead of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise DestinationError(
            f"{what} cannot be written to {shortened(path)}: {error.strerror or error}; {remedy(error)}"
        ) from error


def replace_file(path: Path, content: bytes, *, mode: int = 0o666, fresh: bool = False) -> None:
    """Write ``path`` atomically: to a temporary file beside it, flushed and renamed.

    Args:
        path: of the file; its directory exists.
        content: of the file.
        mode: its permissions, minus the umask.
        fresh: do not replace an existing file.

    Raises:
        OSError: it cannot be written or, if ``fresh``, it exists; no temporary file is left behind.
    """
    made = path if fresh else path.with_name(f".{path.name}.writing-{secrets.token_hex(4)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not fresh:
            made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
