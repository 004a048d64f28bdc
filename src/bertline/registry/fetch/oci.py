"""A bundle in a registry, read: from the image that ``oci_push`` made, or from what another tool made of it.

Tools that copy images may compress the layers and give the image another digest. The files in them are the same, and
the bundle's manifest vouches for each.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bertline.bundle import Manifest
from bertline.bundle.fields import MANIFEST, safe_path
from bertline.bundle.manifest import LARGEST_MANIFEST_BYTES
from bertline.bundle.signing import LARGEST_SIGNATURE_BYTES
from bertline.bundle.verify import SIGNATURE
from bertline.destination import check_room
from bertline.errors import StoreError
from bertline.registry.fetch.address import LATEST, Address
from bertline.registry.fetch.oci_image import digest_of
from bertline.registry.fetch.oci_registry import Registry
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Altered, Part

_LAYERS = ".layers"  # below the staging directory
_CHUNK_BYTES = 2**20


class ImageSource:
    """A bundle in a registry, opened by its address.

    Raises:
        StoreError: there is none, or it is no image of a bundle.
    """

    def __init__(self, address: Address, settings: StoreSettings) -> None:
        self._address, self._registry = address, Registry(address, settings, "pull")
        layers = self._image().get("layers") or [{}]
        try:
            self._parts = [
                Part(f"{_LAYERS}/{at}", int(one["size"]), one["digest"].removeprefix("sha256:"))
                for at, one in enumerate(layers)
            ]
            compressed = [one["mediaType"] for one in layers if "zstd" in one["mediaType"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._foreign() from None
        if compressed:
            raise StoreError(f"{address} is compressed with zstd: copy it with skopeo copy --dest-compress-format gzip")
        head = self._head(self._parts[0])
        self.manifest, self.signature = head[MANIFEST], head.get(SIGNATURE)

    def _image(self) -> dict[str, Any]:
        """The manifest of the image; of an index, the first one's: their layers are the same."""
        reference = f"sha256:{self._address.pin}" if self._address.pin else self._address.tag or LATEST
        for _ in range(2):
            raw = self._registry.manifest(reference)
            if reference.startswith("sha256:") and digest_of(raw) != reference:
                raise Altered(f"{self._address} has a manifest of another hash: the registry is damaged; push it again")
            try:
                content: dict[str, Any] = json.loads(raw)
                if "manifests" not in content:
                    return content
                reference = str(content["manifests"][0]["digest"])
            except (ValueError, KeyError, IndexError, TypeError):
                break
        raise self._foreign()

    def _head(self, part: Part) -> dict[str, bytes]:
        """The files of the first layer: the bundle's manifest and its signatures."""
        most = LARGEST_MANIFEST_BYTES + LARGEST_SIGNATURE_BYTES + 2**20
        if part.bytes > most:
            raise self._foreign()
        content = b""
        for chunk in self._registry.read(f"sha256:{part.sha256}", 0).chunks:
            content += chunk
            if len(content) > part.bytes:
                break
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise Altered(f"the first layer of {self._address} was altered there or on the way: pull or push it again")
        files = {}
        with self._readable(), tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.name in (MANIFEST, SIGNATURE) and member.isreg() and member.size <= LARGEST_MANIFEST_BYTES:
                    files[member.name] = _file(archive, member).read()
        if MANIFEST not in files:
            raise self._foreign()
        return files

    def parts(self, manifest: Manifest) -> Sequence[Part]:
        """A part for each layer."""
        return self._parts

    def read(self, part: Part, start: int) -> Iterator[bytes]:
        """As ``Source.read``."""
        return self._registry.read(f"sha256:{part.sha256}", start).chunks

    def unpack(self, staging: Path, manifest: Manifest) -> None:
        """The bundle's files out of the layers, each compared with the manifest while it is written."""
        for part in self._parts:
            layer = staging / part.path
            check_room(staging, "the bundle", sum(manifest.files[path].bytes for path in self._names(layer, manifest)))
            with self._readable(), tarfile.open(layer) as archive:
                for member in archive:
                    if member.name in manifest.files:
                        self._write(archive, member, staging / member.name, manifest)
            layer.unlink()
        (staging / _LAYERS).rmdir()

    def _names(self, layer: Path, manifest: Manifest) -> list[str]:
        with self._readable(), tarfile.open(layer) as archive:
            members = archive.getmembers()
        for member in members:
            if not member.isdir() and member.name not in (MANIFEST, SIGNATURE, *manifest.files):
                raise Altered(
                    f"{self._address} holds {member.name[:80]!r}, which its {MANIFEST} does not list: push again"
                )
        return [member.name for member in members if member.name in manifest.files]

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, manifest: Manifest) -> None:
        expected, digest, size = manifest.files[safe_path(member.name)], hashlib.sha256(), 0
        if not member.isreg() or member.size != expected.bytes:
            raise self._altered(member.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        source = _file(archive, member)
        with path.open("wb") as file:
            while True:
                with self._readable():
                    chunk = source.read(_CHUNK_BYTES)
                if not chunk:
                    break
                digest.update(chunk)
                size += file.write(chunk)
        if (digest.hexdigest(), size) != (expected.sha256, expected.bytes):
            raise self._altered(member.name)

    def _altered(self, name: str) -> Altered:
        return Altered(f"{name} at {self._address} is not the file that its manifest lists: push the bundle again")

    def _foreign(self) -> StoreError:
        return StoreError(
            f"{self._address} is not an image of a bundle (no {MANIFEST} in its first layer): push one there with "
            "bertline models push"
        )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise Altered(f"a layer of {self._address} is no tar file ({error}): push the bundle again") from None


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    assert file is not None, "a regular file"
    return file
