"""How bundles lie in a bucket or a directory.

    <prefix>/<hash of the manifest>/bertline.json …    a version: a plain bundle, never changed
    <prefix>/tags/<tag>.json                           the hash of the version that a tag names

A push writes the files of a version, then its ``bertline.json``, then the tag, so a half-written version has no
manifest and no name. A prefix with a plain bundle (``aws s3 sync reviews s3://bucket/prefix``) can be fetched too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bertline.bundle import Manifest
from bertline.bundle.fields import MANIFEST
from bertline.bundle.manifest import LARGEST_MANIFEST_BYTES
from bertline.bundle.signing import LARGEST_SIGNATURE_BYTES
from bertline.bundle.verify import SIGNATURE
from bertline.errors import StoreError
from bertline.registry.fetch.address import LATEST, Address
from bertline.registry.fetch.source import Absent, Altered, Denied, Part

LARGEST_TAG_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that is being read: the size of the whole, and its bytes from the offset on."""

    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a list: its key below the prefix, its size, and what changes when it is replaced."""

    key: str
    bytes: int
    tag: str | None


class Objects(Protocol):
    """Named bytes below one prefix."""

    def read(self, key: str, start: int = 0) -> Opened:
        """Read an object from an offset on; one that was replaced since this process first read it is ``Altered``.

        Raises:
            Absent, Denied, Altered, LinkError, StoreError: it cannot be read.
        """

    def size(self, key: str) -> int | None:
        """An object's size in bytes; None if it is not there."""

    def put(self, key: str, content: Path | bytes) -> None:
        """Write an object whole or not at all; an existing one is replaced."""


def tag_key(tag: str) -> str:
    """The key of a tag's file."""
    return f"tags/{tag}.json"


def put_tag(objects: Objects, tag: str, version: str, name: str) -> None:
    """Make a tag name a version of a bundle with this name.

    Raises:
        StoreError, DestinationError: it cannot be written.
    """
    content = json.dumps({"version": version, "name": name}, ensure_ascii=False, indent=2)
    objects.put(tag_key(tag), f"{content}\n".encode())


def small(objects: Objects, key: str, largest_bytes: int) -> bytes:
    """A small object's bytes.

    Raises:
        StoreError: it is absent, cannot be read, or has more bytes.
    """
    opened, content = objects.read(key), b""
    for chunk in opened.chunks:
        content += chunk
        if len(content) > largest_bytes:
            break
    if max(opened.size, len(content)) > largest_bytes:
        raise Altered(f"{key} has more than {largest_bytes:,} bytes, far more than bertline writes: push again")
    if len(content) < opened.size:
        raise Altered(f"{key} is truncated, {len(content):,} of {opened.size:,} bytes: push again")
    return content


def tagged(objects: Objects, address: Address) -> str | None:
    """The version that the address's tag names; None if there is no such tag.

    Raises:
        StoreError: the tag's file cannot be read.
    """
    try:
        raw = small(objects, tag_key(address.tag or LATEST), LARGEST_TAG_BYTES)
    except Absent:
        return None
    try:
        version = json.loads(raw)["version"]
        return str(bytes.fromhex(version).hex()) if len(version) == 64 else _bad_tag(address)
    except (ValueError, KeyError, TypeError):
        return _bad_tag(address)


def _bad_tag(address: Address) -> str:
    raise StoreError(f"the tag {address.tag} of {address} is damaged: push the bundle there again")


class ObjectSource:
    """A bundle in ``objects``, opened by its address.

    Raises:
        StoreError: there is none, or it cannot be read.
    """

    def __init__(self, address: Address, objects: Objects) -> None:
        self._address, self._objects = address, objects
        self.folder, self.manifest = self._found()
        try:
            self.signature: bytes | None = small(objects, self.folder + SIGNATURE, LARGEST_SIGNATURE_BYTES)
        except (Absent, Denied):  # without the right to list, S3 denies what is not there
            self.signature = None

    def _found(self) -> tuple[str, bytes]:
        denied: Denied | None = None
        version = self._address.pin
        if version is None:
            try:
                version = tagged(self._objects, self._address)
            except Denied as error:
                denied = error
        folders = [f"{version}/"] * bool(version) + [""] * (self._address.tag in (None, LATEST))
        for folder in folders:
            try:
                return folder, small(self._objects, folder + MANIFEST, LARGEST_MANIFEST_BYTES)
            except Absent:
                continue
            except Denied as error:
                denied = denied or error
        if denied is not None:
            raise denied
        raise Absent(f"{self._address} holds no bundle{self._tag()}: push one there with bertline models push")

    def _tag(self) -> str:
        return f" with the tag {self._address.tag}" if self._address.tag not in (None, LATEST) else ""

    def parts(self, manifest: Manifest) -> Sequence[Part]:
        """A part for each file."""
        return [Part(path, record.bytes, record.sha256) for path, record in manifest.files.items()]

    def read(self, part: Part, start: int) -> Iterator[bytes]:
        """As ``Source.read``."""
        try:
            opened = self._objects.read(self.folder + part.path, start)
        except Absent:
            raise Altered(f"{self._address} lacks {part.path}, which its {MANIFEST} lists: push it again") from None
        if opened.size != part.bytes:
            state = "is truncated" if opened.size < part.bytes else "was altered"
            raise Altered(
                f"{part.path} at {self._address} {state}, {opened.size:,} instead of {part.bytes:,} bytes: push the "
                "bundle again with --overwrite"
            )
        return opened.chunks

    def unpack(self, staging: Path, manifest: Manifest) -> None:
        """Nothing to do: each part is a file."""
