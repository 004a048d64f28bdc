"""Bundles in a directory that several machines see, such as a network file system or a volume."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from bertline.bundle.swap import flush
from bertline.destination import replace_file
from bertline.errors import DestinationError, StoreError
from bertline.registry.fetch.objects import Opened
from bertline.registry.fetch.source import Absent, Denied

_CHUNK_BYTES = 2**20


class Folder:
    """The files below a directory as ``Objects``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, key: str, start: int = 0) -> Opened:
        """As ``Objects.read``."""
        path = self.root / key
        try:
            size = path.stat().st_size
            path.open("rb").close()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise Absent(f"{path} does not exist") from None
        except PermissionError:
            raise Denied(f"{path} cannot be read: give this user the right to read it") from None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}; check the file system") from None

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as file:
                file.seek(start)
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk

        return Opened(size, chunks())

    def size(self, key: str) -> int | None:
        """As ``Objects.size``."""
        try:
            return (self.root / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, key: str, content: Path | bytes) -> None:
        """As ``Objects.put``; the bytes are on the disk when it returns."""
        path = self.root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                replace_file(path, content)
            else:
                _copy(content, path)
            flush(path.parent)
        except OSError as error:
            raise DestinationError(
                f"{path} cannot be written: {error.strerror or error}; free some space, or choose another place"
            ) from None


def _copy(source: Path, path: Path) -> None:
    aside = path.with_name(f".{path.name}.writing-{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, aside)
        flush(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
