"""Check before hours of work that its output can be written: name, permissions and disk space."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from bertline.destination.files import as_destination_error, shortened
from bertline.errors import DestinationError

LONGEST_SUFFIX = len("..previous-01234567")  # appended to a name while its file or directory is written
SLACK_BYTES = 16 * 2**20  # for reports, cards and other small files


def resolved(path: Path, what: str) -> Path:
    """The path with its symbolic links resolved.

    Raises:
        DestinationError: a NUL byte, or a loop of symbolic links.
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
    """Reject a name that is too long once the temporary suffix is appended.

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
            f"{what} cannot be written to {shortened(path)}: the name has {size} bytes, but at most "
            f"{longest} are possible; choose a shorter one"
        )


def check_place(path: Path, what: str, *, inside: bool = False) -> None:
    """Create a temporary entry where ``path`` will be created, and remove it.

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
        # Named like the temporary output, so that the clean-up after a crash removes it too.
        trial = Path(tempfile.mkdtemp(prefix=f".{final.name}.writing-", dir=place))
        with suppress(FileNotFoundError):  # already removed by another writer's clean-up
            trial.rmdir()


def check_room(path: Path, what: str, needed_bytes: int, *, largest_bytes: int = 0) -> None:
    """Check that there is enough disk space at ``path``.

    Args:
        path: of the file or directory to write; of a link, the target's disk counts.
        what: is written there, for the message.
        needed_bytes: peak size, approximate.
        largest_bytes: size of the largest file.

    Raises:
        DestinationError: too little space, or a file would exceed the limit on file sizes (``ulimit -f``).
    """
    final = resolved(path, what)
    with as_destination_error(path, what):
        total_bytes, _, free_bytes = shutil.disk_usage(existing(final.parent))
    if total_bytes and free_bytes < needed_bytes + SLACK_BYTES:  # 0 in all: the file system does not count
        raise DestinationError(
            f"{what} needs about {megabytes(needed_bytes + SLACK_BYTES)} at {path}, but only "
            f"{megabytes(free_bytes)} are free there: free some space, or choose a place on another disk"
        )
    limit_bytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit_bytes != resource.RLIM_INFINITY and limit_bytes < largest_bytes:
        raise DestinationError(
            f"{what} needs a file of about {megabytes(largest_bytes)} at {path}, but this process may write files "
            f"of at most {megabytes(limit_bytes)}: raise the limit (ulimit -f)"
        )


def existing(path: Path) -> Path:
    """The nearest existing part of a path: itself, or a directory above it.

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
