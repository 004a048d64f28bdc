"""Checks that a directory is the bundle that was written: its manifest and its files.

Links are refused before any file is opened.
"""

from __future__ import annotations

import glob
import json
import re
from pathlib import Path

from bertline.bundle.fields import MANIFEST
from bertline.bundle.manifest import LARGEST_MANIFEST_BYTES, Manifest, parse
from bertline.bundle.tree import entries, require_plain, sha256
from bertline.errors import BundleError

SIGNATURE = "bertline.json.sig"  # beside the manifest and not in it: it comes later, and is about it
_AGAIN = "copy or download the bundle again"


def read_manifest(directory: Path) -> Manifest:
    """``bertline.json`` of a bundle, itself verified, without looking at the other files.

    Raises:
        BundleError: it is missing, damaged or of a newer format.
    """
    return parse(manifest_bytes(directory), str(directory))


def manifest_bytes(directory: Path) -> bytes:
    """The bytes of a bundle's ``bertline.json``, unparsed.

    Raises:
        BundleError: it is missing, or cannot be read.
    """
    try:
        return plain_bytes(directory, MANIFEST, LARGEST_MANIFEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(_why_none(directory)) from None


def plain_bytes(directory: Path, name: str, largest_bytes: int) -> bytes:
    """The bytes of a plain file that lies directly in a bundle.

    Raises:
        FileNotFoundError, NotADirectoryError: it is missing.
        BundleError: it is a link or a special file, too large, or cannot be read.
    """
    path = directory / name
    try:
        status = path.lstat()
        require_plain(status, name, str(directory))
        if status.st_size > largest_bytes:
            raise BundleError(f"{path} has {status.st_size:,} bytes, far more than bertline writes: {_AGAIN}")
        with path.open("rb") as file:
            return file.read(largest_bytes)  # it may have grown; a part of it has no valid checksum
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}; give this user the right to read it") from error


def _why_none(directory: Path) -> str:
    """The message for a directory without a ``bertline.json``, with the remedy."""
    if directory.is_file():
        return f"{directory} is a file: give the directory of a bundle, the one with {MANIFEST} in it"
    if re.match(r"(s3|oci|hf):/", str(directory)):
        return (
            f"{directory} is an address, and this takes a directory: fetch the bundle first with bertline models pull"
        )
    if not directory.exists():
        previous = next(directory.absolute().parent.glob(f".{glob.escape(directory.name)}.previous-*"), None)
        if previous is not None:
            return f"{directory} was being replaced when it stopped: mv {previous} {directory} brings it back"
        return f"{directory} does not exist: give the directory that bertline train wrote (--out)"
    if (directory / "config.json").is_file():
        return (
            f"{directory} is a plain HF checkpoint (config.json but no {MANIFEST}), not a bundle: "
            f"fine-tune it with bertline train DATA --model {directory} --out DIR, or, if it fills in words or embeds "
            f"texts, make a bundle of it with bertline models import {directory} --out DIR"
        )
    return f"{directory} is not a bundle (no {MANIFEST}): give the directory that bertline train wrote (--out)"


def check_files(directory: Path, manifest: Manifest, *, hashes: bool) -> None:
    """Check that every listed file is as it was written, and that only signatures and hidden files are beside them.

    Args:
        directory: the bundle.
        manifest: what must be there.
        hashes: compare contents too, not only names and sizes.

    Raises:
        BundleError: a file is missing, altered or unlisted; the message names it.
    """
    present = entries(directory)
    for path, expected in manifest.files.items():
        if path not in present:
            raise BundleError(f"{directory} lacks {path}, which its {MANIFEST} lists: {_AGAIN}")
        require_plain(present[path], path, str(directory))
        _check_size(path, present[path].st_size, expected.bytes, directory)
    if SIGNATURE in present:
        require_plain(present[SIGNATURE], SIGNATURE, str(directory))
    for path in sorted(present.keys() - manifest.files.keys() - {MANIFEST, SIGNATURE}):
        if not any(part.startswith(".") for part in path.split("/")):
            raise BundleError(
                f"{path} is in {directory} but not in its {MANIFEST}, so nothing vouches for it: move it elsewhere"
            )
    for path, expected in manifest.files.items() if hashes else ():
        if sha256(directory / path) != expected.sha256:
            raise BundleError(f"{path} in {directory} was altered after the bundle was written: {_AGAIN}")


def with_problem_type(directory: Path, manifest: Manifest) -> Manifest:
    """The manifest with the problem type of its checkpoint, the only place where format 1 records several labels."""
    try:
        config = json.loads((directory / "config.json").read_bytes())
    except (OSError, ValueError):  # the loader of the checkpoint reports it
        return manifest
    problem_type = config.get("problem_type") if isinstance(config, dict) else None
    return manifest.model_copy(update={"task": manifest.task.with_problem_type(problem_type)})


def _check_size(path: str, actual: int, expected: int, directory: Path) -> None:
    if actual < expected:
        raise BundleError(f"{path} in {directory} is truncated, {actual:,} of {expected:,} bytes: {_AGAIN}")
    if actual > expected:
        raise BundleError(
            f"{path} in {directory} was altered after the bundle was written, {actual:,} bytes instead of "
            f"{expected:,}: {_AGAIN}"
        )
