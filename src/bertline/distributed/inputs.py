"""The tables of an input: a file, the files of a directory, or the objects below an ``s3://`` prefix."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from bertline.data.formats import SUFFIXES
from bertline.data.table import check_file
from bertline.distributed.plan import InputFile
from bertline.errors import DataError
from bertline.registry.fetch.address import parse_address
from bertline.registry.fetch.s3 import S3
from bertline.registry.fetch.settings import store_settings

S3_SCHEME = "s3://"
_READ_BYTES = 8 * 2**20  # of one request; Parquet's columns are read in larger ones


class Inputs(Protocol):
    """Tables by their names below one place."""

    def files(self) -> list[InputFile]:
        """The tables in the order of their names.

        Raises:
            DataError, StoreError: there is none, or they cannot be listed.
        """

    def open(self, name: str) -> io.BufferedReader:
        """The bytes of a table, seekable."""

    def shown(self, name: str) -> str:
        """The table's name in messages."""


def find_inputs(source: str) -> Inputs:
    """The tables at a path or an address.

    Raises:
        UsageError, StoreError: the address is none, or the bucket cannot be reached.
    """
    if source.startswith(S3_SCHEME):
        if is_table(source):
            folder, _, name = source.rpartition("/")
            return Bucket(folder, name)
        return Bucket(source.rstrip("/"))
    path = Path(source)
    return Directory(path) if path.is_dir() else Directory(path.parent, path.name)


def is_table(name: str) -> bool:
    """Whether a name has a table's suffix, also gzipped.

    >>> is_table("new.csv.gz"), is_table("new/2026"), is_table("_SUCCESS")
    (True, False, False)
    """
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix in SUFFIXES


def _is_counted(name: str) -> bool:
    """Whether a file below a directory is one of its tables: hidden ones and those of other programs are not."""
    return is_table(name) and not any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


class Directory:
    """Files below a directory.

    Args:
        root: the directory.
        name: of the only file that counts; None is all tables.
    """

    def __init__(self, root: Path, name: str | None = None) -> None:
        self._root, self._name = root, name

    def files(self) -> list[InputFile]:
        """As ``Inputs.files``."""
        if self._name is not None:
            check_file(self._root / self._name, self.shown(self._name))
            names = [self._name]
        else:
            found = (path for path in self._root.rglob("*") if path.is_file())
            names = sorted(filter(_is_counted, (path.relative_to(self._root).as_posix() for path in found)))
            _require(names, str(self._root))
        return [InputFile(name=name, bytes=(self._root / name).stat().st_size) for name in names]

    def open(self, name: str) -> io.BufferedReader:
        """As ``Inputs.open``."""
        try:
            return (self._root / name).open("rb")
        except OSError as error:
            raise DataError(f"{self.shown(name)} cannot be read ({error.strerror}): check its permissions") from error

    def shown(self, name: str) -> str:
        """As ``Inputs.shown``."""
        return str(self._root / name)


class Bucket:
    """Objects below a prefix; as for ``Directory``."""

    def __init__(self, prefix: str, name: str | None = None) -> None:
        self._prefix, self._name = prefix, name
        self._objects = S3(parse_address(prefix), store_settings())

    def files(self) -> list[InputFile]:
        """As ``Inputs.files``."""
        there = {one.key: one for one in self._objects.listed()}
        names = sorted(filter(_is_counted, there)) if self._name is None else [self._name] * (self._name in there)
        _require(names, self._prefix if self._name is None else f"{self._prefix}/{self._name}")
        return [InputFile(name=name, bytes=there[name].bytes, tag=there[name].tag) for name in names]

    def open(self, name: str) -> io.BufferedReader:
        """As ``Inputs.open``."""
        size = self._objects.size(name)
        if size is None:
            raise DataError(f"{self.shown(name)} does not exist: check the address")
        return io.BufferedReader(cast(Any, _Object(self._objects, name, size)), _READ_BYTES)

    def shown(self, name: str) -> str:
        """As ``Inputs.shown``."""
        return f"{self._prefix}/{name}"


def _require(names: Sequence[str], place: str) -> None:
    if not names:
        raise DataError(f"{place} has no tables: give a place with files named {', '.join(SUFFIXES)}, also with .gz")


class _Object(io.RawIOBase):
    """An object as a file; each read is a request for a range."""

    def __init__(self, objects: S3, key: str, size: int) -> None:
        self._objects, self._key, self._size, self._place = objects, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._size - self._place))
        if length:
            buffer[:length] = self._objects.read_range(self._key, self._place, length)
            self._place += length
        return length
