"""What fetching needs to know of a place: the manifest, and each part's bytes from any offset on.

A part is what is transferred as one: a file of the bundle, or a layer of an image. Its size and its hash are known
before its bytes come, so they are verified as they arrive, and a transfer can be resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bertline.bundle import Manifest
from bertline.errors import StoreError


class Absent(StoreError):
    """There is no such object."""


class Denied(StoreError):
    """The credentials do not allow it."""


class Altered(StoreError):
    """The bytes are not those that the manifest promises."""


class LinkError(StoreError):
    """The connection failed, stalled or ended early; another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes to transfer: their path below the staging directory, their number and their SHA-256."""

    path: str
    bytes: int
    sha256: str


class Source(Protocol):
    """A bundle at an address, opened: its manifest has been read and is not verified yet."""

    @property
    def manifest(self) -> bytes:
        """The bytes of ``bertline.json``."""

    @property
    def signature(self) -> bytes | None:
        """The bytes of ``bertline.json.sig``, if there is one."""

    def parts(self, manifest: Manifest) -> Sequence[Part]:
        """What has to be transferred for the bundle's files."""

    def read(self, part: Part, start: int) -> Iterator[bytes]:
        """The bytes of a part from an offset on.

        Raises:
            LinkError: the connection failed; the transfer can go on from where it stopped.
            StoreError: it cannot.
        """

    def unpack(self, staging: Path, manifest: Manifest) -> None:
        """Make the bundle's files of the parts, where they differ."""
