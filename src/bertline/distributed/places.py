"""Where shards are written: a directory or an ``s3://`` prefix. A file is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from bertline.bundle.swap import flush
from bertline.destination import as_destination_error, check_place, replace_file
from bertline.distributed.inputs import S3_SCHEME
from bertline.registry.fetch.address import parse_address
from bertline.registry.fetch.objects import small
from bertline.registry.fetch.pull import held
from bertline.registry.fetch.s3 import S3
from bertline.registry.fetch.settings import store_settings
from bertline.registry.fetch.source import Absent

WHAT = "the shards"
_LARGEST_PLAN_BYTES = 2**30


class Place(Protocol):
    """Files of one job."""

    def names(self) -> set[str]:
        """The files that are there."""

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def read(self, name: str) -> bytes | None:
        """A small file's bytes; None if it is not there."""

    def put(self, name: str, content: bytes) -> None:
        """Write a small file."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Within: the path to write a file to, atomically; it is at its place when the context ends."""

    def reading(self, name: str) -> AbstractContextManager[Path]:
        """Within: the path of a file."""

    def alone(self) -> AbstractContextManager[None]:
        """Within: no other process of this place is in such a context, where the place knows locks."""

    def remove(self) -> None:
        """Remove the files of the job, and the directory."""


def find_place(target: str) -> Place:
    """The place at a path or an address.

    Raises:
        UsageError, DestinationError: it cannot be written to.
    """
    return Prefix(target.rstrip("/")) if target.startswith(S3_SCHEME) else Folder(Path(target))


class Folder:
    """A directory, which several machines may share."""

    def __init__(self, root: Path) -> None:
        self._root = root
        check_place(root, WHAT, inside=True)

    def names(self) -> set[str]:
        """As ``Place.names``."""
        return {path.name for path in self._root.iterdir()} if self._root.is_dir() else set()

    def has(self, name: str) -> bool:
        """As ``Place.has``."""
        return (self._root / name).exists()

    def read(self, name: str) -> bytes | None:
        """As ``Place.read``."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """As ``Place.put``."""
        with as_destination_error(self._root, WHAT):
            replace_file(self._root / name, content)
            flush(self._root)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As ``Place.writing``: the writer of tables writes aside and renames."""
        yield self._root / name

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As ``Place.reading``."""
        yield self._root / name

    @contextmanager
    def alone(self) -> Iterator[None]:
        """As ``Place.alone``."""
        with held(self._root):
            yield

    def remove(self) -> None:
        """As ``Place.remove``, with what killed writers left."""
        for path in self._root.iterdir():
            path.unlink()
        self._root.rmdir()


class Prefix:
    """Objects below a prefix; the store makes each of them appear whole."""

    def __init__(self, address: str) -> None:
        self._objects = S3(parse_address(address), store_settings())

    def names(self) -> set[str]:
        """As ``Place.names``."""
        return {one.key for one in self._objects.listed()}

    def has(self, name: str) -> bool:
        """As ``Place.has``."""
        return self._objects.size(name) is not None

    def read(self, name: str) -> bytes | None:
        """As ``Place.read``."""
        try:
            return small(self._objects, name, _LARGEST_PLAN_BYTES)
        except Absent:
            return None

    def put(self, name: str, content: bytes) -> None:
        """As ``Place.put``."""
        self._objects.put(name, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As ``Place.writing``."""
        with tempfile.TemporaryDirectory(prefix="bertline-") as folder:
            yield Path(folder) / name
            self._objects.put(name, Path(folder) / name)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As ``Place.reading``: a copy."""
        with tempfile.TemporaryDirectory(prefix="bertline-") as folder:
            path = Path(folder) / name
            with path.open("wb") as file:
                for chunk in self._objects.read(name).chunks:
                    file.write(chunk)
            yield path

    def alone(self) -> nullcontext[None]:
        """As ``Place.alone``: buckets have no locks; the same plan may be written twice."""
        return nullcontext()

    def remove(self) -> None:
        """Nothing: shards at an address are the result."""
