"""Before hours of work: can its result be written where it is to go? Name, rights and room are tried, not guessed."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from bertline.destination.files import as_destination_error, shortened
from bertline.errors import DestinationError

LONGEST_SUFFIX = len("..previous-01234567")  # what is added to a name while its file or directory is written
SLACK_BYTES = 16 * 2**20  # reports, cards and whatever else is small


def resolved(path: Path, what: str) -> Path:
    """The path without links.

    Raises:
        DestinationError: a NUL byte, or links that lead in a circle.
    """
    if "\0" in str(path):
        raise DestinationError(
            f"{what} cannot be written to {shortened(path)}: its name contains a NUL byte; choose another name"
        )
    try:
        with as_destination_error(path, what):
            return path.resolve()
    except RuntimeError:  # Python 3.13 raises an OSError instead
        raise DestinationError(
            f"{what} cannot be written to {shortened(path)}: its symbolic links form a loop; choose another place"
        ) from None


def check_name(path: Path, what: str) -> None:
    """Refuse a name that leaves no room for what is added to it while it is written.

    Args:
        path: of the file or directory to write.
        what: is written there, for the message: ``the bundle``.

    Raises:
        DestinationError: a NUL byte, or too many bytes.
    """
    final = resolved(path, what)
    with as_destination_error(path, what):
        longest = os.pathconf(existing(final.parent), "PC_NAME_MAX") - LONGEST_SUFFIX
    size = len(os.fsencode(final.name))
    if size > longest > 0:  # some file systems do not say
        raise DestinationError(
            f"{what} cannot be written to {shortened(path)}: the name has {size} bytes, and there is room for "
            f"{longest}; choose a shorter one"
        )


def check_place(path: Path, what: str, *, inside: bool = False) -> None:
    """Make an entry where ``path`` will be made, and remove it again.

    Args:
        path: of the file or directory to write.
        what: is written there, for the message.
        inside: files will be written into the directory ``path``; otherwise ``path`` itself is made or replaced.

    Raises:
        DestinationError: as ``check_name``, or a part of the path is a file, or nothing can be written there.
    """
    check_name(path, what)
    with as_destination_error(path, what):
        final = path.resolve()
        place = existing(final if inside else final.parent)
        if not place.is_dir():
            raise DestinationError(f"{what} cannot be written to {path}: {place} is not a directory; choose another")
        # Called as what is written there, so that whoever sweeps up after a crash finds this too.
        trial = Path(tempfile.mkdtemp(prefix=f".{final.name}.writing-", dir=place))
        with suppress(FileNotFoundError):  # swept up already, by a writer that ends just now
            trial.rmdir()


def check_room(path: Path, what: str, needed_bytes: int, *, largest_bytes: int = 0) -> None:
    """Compare what will be written at ``path`` with the room there.

    Args:
        path: of the file or directory to write; where it is a link, there is room where it leads.
        what: is written there, for the message.
        needed_bytes: at the fullest moment, about.
        largest_bytes: of them in one file.

    Raises:
        DestinationError: there is less room, or a file may not be that large (``ulimit -f``).
    """
    final = resolved(path, what)
    with as_destination_error(path, what):
        total_bytes, _, free_bytes = shutil.disk_usage(existing(final.parent))
    if total_bytes and free_bytes < needed_bytes + SLACK_BYTES:  # 0 in all: the file system does not count
        raise DestinationError(
            f"{what} needs about {megabytes(needed_bytes + SLACK_BYTES)} at {path}, and {megabytes(free_bytes)} are "
            "free there: make room, or choose a place on another disk"
        )
    limit_bytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit_bytes != resource.RLIM_INFINITY and limit_bytes < largest_bytes:
        raise DestinationError(
            f"{what} needs a file of about {megabytes(largest_bytes)} at {path}, and this process may write files of "
            f"at most {megabytes(limit_bytes)}: raise the limit (ulimit -f)"
        )


def existing(path: Path) -> Path:
    """The nearest part of a path that is there: itself, or a directory above it.

    >>> str(existing(Path("/no-such/directory")))
    '/'
    """
    for one in (path, *path.parents):
        try:
            one.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return one
    return Path()


def megabytes(size_bytes: float) -> str:
    """A size for people.

    >>> megabytes(300), megabytes(71_234_567), megabytes(3_512_000_000)
    ('under 1 MB', '71 MB', '3.5 GB')
    """
    if size_bytes < 1e6:
        return "under 1 MB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"
