"""Bundles on disk: written whole or not at all, and verified byte for byte before anything in them is used.

Loading runs no code from the bundle and imports no torch.
"""

from __future__ import annotations

import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bertline.bundle.fields import MANIFEST, Name
from bertline.bundle.manifest import FileRecord, Manifest, parse
from bertline.bundle.signing import PublicKey, Signature, require_signature
from bertline.bundle.swap import flush, swap
from bertline.bundle.tree import entries, record, require_plain
from bertline.bundle.verify import SIGNATURE, check_files, manifest_bytes, read_manifest, with_problem_type
from bertline.destination import as_destination_error, check_place, resolved, shortened
from bertline.errors import BundleError, DestinationError

VERSION_DIGITS = 12
WHAT = "the bundle"  # in messages about the destination
_ATTEMPTS = 3  # a bundle may be replaced while it is read, but hardly twice in a row


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: its directory, its manifest, and the signature that was required, if any."""

    path: Path
    manifest: Manifest
    signature: Signature | None = None

    @property
    def version(self) -> str:
        """The first digits of the manifest's checksum: the same for the same bytes in every file."""
        return self.manifest.checksum[:VERSION_DIGITS]

    def is_current(self) -> bool:
        """Whether the directory still holds this bundle, and no other one was written in its place."""
        try:
            return read_manifest(self.path).checksum == self.manifest.checksum
        except BundleError:
            return False


def load(
    directory: Path,
    *,
    verify: bool = True,
    trusted: Sequence[PublicKey] | None = None,
    checksum: str | None = None,
) -> Bundle:
    """Open a bundle.

    Every file that ``bertline.json`` lists must be there, plain, of the recorded size and (with ``verify``)
    hash, and no other file but signatures and hidden ones (``.git``, ``.cache``), which nothing reads.

    Args:
        directory: the bundle; may itself be a symbolic link (``current`` → ``reviews-7``).
        verify: False trusts the contents and checks names and sizes only.
        trusted: require a signature by one of these keys before anything in the bundle is interpreted, and matching
            hashes. An empty sequence accepts no bundle; None requires no signature.
        checksum: of the manifest, to open exactly the bundle that another process has loaded.

    Raises:
        BundleError: the bundle is missing, or of a newer format, or another one; a file is missing, truncated,
            altered, unlisted or a link; a required signature is missing.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        before = _identity(directory)
        try:
            raw, signature = (
                (manifest_bytes(directory), None) if trusted is None else require_signature(directory, trusted)
            )
            manifest = parse(raw, str(directory))
            if checksum not in (None, manifest.checksum):
                raise BundleError(f"{directory} was replaced by another version while it was served: load that one")
            check_files(directory, manifest, hashes=verify or trusted is not None)
            return Bundle(directory, with_problem_type(directory, manifest), signature)
        except (BundleError, OSError) as error:
            if attempt < _ATTEMPTS and before is not None and _identity(directory) != before:
                continue
            if isinstance(error, BundleError):
                raise
            raise BundleError(f"{directory} cannot be read: {error.strerror} ({error.filename})") from error
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def writing(target: Path, manifest: Manifest, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a bundle: fill the directory that this yields; on leaving it is hashed and put at ``target``.

    Until then ``target`` is untouched, and after an exception it stays so. An existing bundle is replaced in
    one atomic exchange where the system has one. A crash leaves a hidden directory that the next write
    removes.

    Args:
        target: the bundle's directory; missing parents are created.
        manifest: what ``bertline.json`` says, ``files`` and ``checksum`` aside.
        overwrite: replace a bundle that is there. A directory that holds anything else is never replaced.

    Raises:
        BundleError: ``target`` exists.
        DestinationError: the disk refused.
    """
    final = resolved(target, WHAT)
    with as_destination_error(target, WHAT):
        check_target(final, overwrite=overwrite)
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final)
        staging = final.with_name(f".{final.name}.writing-{secrets.token_hex(4)}")
        staging.mkdir()
    try:
        with _lock(staging), as_destination_error(target, WHAT):
            yield staging
            _seal(staging, manifest)
            install(staging, final, overwrite=overwrite)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_target(target: Path, *, overwrite: bool = False) -> None:
    """Check before long work that ``target`` can be written and nothing there would be lost.

    Raises:
        BundleError: ``target`` is a file, a bundle (without ``overwrite``), or a directory of anything else.
        DestinationError: the name is too long, or nothing can be written there.
    """
    check_place(target, WHAT)
    final = target.resolve()
    if not final.exists():
        return
    if final.is_mount():
        raise DestinationError(f"{final} is a mount point, which a bundle cannot replace: choose a directory below it")
    if not final.is_dir():
        raise BundleError(f"{final} is a file: choose another directory for the bundle")
    if Path.cwd().is_relative_to(final):
        raise BundleError(f"{final} is the current directory or above it: choose a directory below for the bundle")
    if not any(final.iterdir()):
        return
    if not (final / MANIFEST).exists():
        raise BundleError(
            f"{final} is not empty and not a bundle, so it is left alone: choose another directory for the bundle"
        )
    if not overwrite:
        raise BundleError(
            f"{final} already holds a bundle: choose another directory, or pass --overwrite to replace it"
        )
    _check_replaceable(final)


def check_new(target: Path, *, overwrite: bool = False) -> None:
    """As ``check_target``, for a bundle that takes its directory's name.

    Raises:
        BundleError: as ``check_target``.
        DestinationError: as ``check_target``, or the name has a control character or a backslash, more than 200
            characters, or bytes that are no UTF-8.
    """
    check_target(target, overwrite=overwrite)
    try:
        TypeAdapter(Name).validate_python("" if target.name == ".." else target.name).encode()
    except (ValidationError, UnicodeEncodeError):
        raise DestinationError(
            f"{shortened(target)} is not a valid name for a bundle: use 1 to 200 UTF-8 characters without control "
            "characters and backslashes"
        ) from None


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        status = directory.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _check_replaceable(final: Path) -> None:
    try:
        known = read_manifest(final).files.keys() | {MANIFEST, SIGNATURE}
    except BundleError as error:
        raise BundleError(
            f"{error}; it is not overwritten: remove {final} yourself, or choose another directory"
        ) from None
    foreign = sorted(entries(final).keys() - known)
    if foreign:
        raise BundleError(
            f"{final} holds {foreign[0]}, which is no part of the bundle there and would be lost: move it "
            "elsewhere, or choose another directory"
        )


def _seal(staging: Path, manifest: Manifest) -> None:
    """Hash every file and write ``bertline.json``, all of it on the disk before this returns."""
    (staging / SIGNATURE).unlink(missing_ok=True)  # copied along: it was of another manifest
    files: dict[str, FileRecord] = {}
    for path, status in entries(staging).items():
        require_plain(status, path, "the bundle to write")
        if path != MANIFEST:
            files[path] = record(staging / path)
            flush(staging / path)
    _, raw = manifest.sealed(files)
    (staging / MANIFEST).write_bytes(raw)
    flush(staging / MANIFEST)
    for folder in sorted({(staging / path).parent for path in files} | {staging}, reverse=True):
        flush(folder)


def install(staging: Path, final: Path, *, overwrite: bool = False) -> None:
    """Move a finished bundle to its place, where it replaces another one only with ``overwrite``.

    Raises:
        BundleError, DestinationError: as ``check_target``.
        OSError: it cannot be moved.
    """
    check_target(final, overwrite=overwrite)  # again: another writer may have been faster
    if final.exists() and any(final.iterdir()):
        old = swap(staging, final)
        flush(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    else:
        staging.rename(final)
        flush(final.parent)


def _sweep(final: Path) -> None:
    """Remove what crashed writers of the same target left: staging directories that no process holds."""
    name = glob.escape(final.name)
    left = list(final.parent.glob(f".{name}.writing-*"))
    if final.exists():
        left += final.parent.glob(f".{name}.previous-*")
    for path in left:
        with suppress(OSError), _lock(path) as held:  # another user's, a link, or removed by another sweep meanwhile
            if held:
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock(directory: Path) -> Iterator[bool]:
    """Hold a directory until this process lets go or ends; yields whether that worked."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except OSError:  # a live writer holds it, or a network file system has no locks
            held = False
        yield held
    finally:
        os.close(descriptor)
