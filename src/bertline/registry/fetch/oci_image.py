"""A bundle as an OCI image whose files lie in its root, so that Kubernetes can mount it as an image volume.

It is a plain image: an index with a manifest for each architecture, whose layers are the same. The layers are tar files
without times and owners, so a bundle always gives the same image. The first has ``bertline.json`` and its signatures,
so that they are read before anything else; each large file has one, and the small files share one: what two versions of
a model have in common is transferred and kept once.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bertline.bundle import Bundle
from bertline.bundle.fields import MANIFEST
from bertline.bundle.verify import SIGNATURE
from bertline.registry.fetch.oci_registry import IMAGE, INDEX

ARTIFACT = "application/vnd.bertline.bundle.v1"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
ARCHITECTURES = ("amd64", "arm64")  # kubelet unpacks an image only for its own
_LARGE_BYTES = 2**20  # files from this size on have a layer of their own
_READ_BYTES = 2**20
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Layer:
    """Files of a bundle as a tar file: its size in bytes and its digest, ``sha256:…``."""

    root: Path
    paths: tuple[str, ...]
    size: int
    digest: str

    def pieces(self, start: int, piece_bytes: int = 16 * 2**20) -> Iterator[bytes]:
        """The tar file's bytes from an offset on."""
        buffer, at = bytearray(), 0
        for chunk in _tar(self.root, self.paths):
            buffer += chunk[max(0, start - at) :]
            at += len(chunk)
            while len(buffer) >= piece_bytes:
                yield bytes(buffer[:piece_bytes])
                del buffer[:piece_bytes]
        if buffer:
            yield bytes(buffer)


def layers_of(bundle: Bundle) -> list[Layer]:
    """The layers of a bundle's image, the manifest's first."""
    files = bundle.manifest.files
    head = tuple(name for name in (MANIFEST, SIGNATURE) if (bundle.path / name).exists())
    small = tuple(path for path, file in files.items() if file.bytes < _LARGE_BYTES)
    large = sorted((path for path in files if path not in small), key=lambda path: -files[path].bytes)
    return [_layer(bundle.path, paths) for paths in (head, *((path,) for path in large), small) if paths]


def _layer(root: Path, paths: tuple[str, ...]) -> Layer:
    digest, size = hashlib.sha256(), 0
    for chunk in _tar(root, paths):
        digest.update(chunk)
        size += len(chunk)
    return Layer(root, paths, size, f"sha256:{digest.hexdigest()}")


def _tar(root: Path, paths: Sequence[str]) -> Iterator[bytes]:
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}
    for folder in sorted(folders):
        yield _header(f"{folder}/", tarfile.DIRTYPE, 0o755, 0)
    for path in paths:
        with (root / path).open("rb") as file:
            size = (root / path).stat().st_size
            yield _header(path, tarfile.REGTYPE, 0o644, size)
            while chunk := file.read(_READ_BYTES):
                yield chunk
        yield b"\0" * (-size % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def _header(name: str, kind: bytes, mode: int, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, mode, size
    return info.tobuf(tarfile.PAX_FORMAT)


def digest_of(content: bytes) -> str:
    """As registries name it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image_files(bundle: Bundle, layers: Sequence[Layer]) -> tuple[list[bytes], list[bytes], bytes]:
    """The JSON files of a bundle's image: configurations, manifests, the index."""
    notes = {
        "org.opencontainers.image.title": bundle.manifest.name,
        "org.opencontainers.image.version": bundle.version,
        "org.opencontainers.image.created": bundle.manifest.created,
    }
    listed = [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers]
    configs, manifests, entries = [], [], []
    for architecture in ARCHITECTURES:
        config = {
            "created": bundle.manifest.created,
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": notes},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            "history": [{"created": bundle.manifest.created, "created_by": "bertline models push"} for _ in layers],
        }
        configs.append(_json(config))
        described = {"mediaType": CONFIG, "digest": digest_of(configs[-1]), "size": len(configs[-1])}
        head = {"schemaVersion": 2, "mediaType": IMAGE, "artifactType": ARTIFACT}
        manifests.append(_json({**head, "config": described, "layers": listed, "annotations": notes}))
        platform = {"architecture": architecture, "os": "linux"}
        entry = {"mediaType": IMAGE, "digest": digest_of(manifests[-1]), "size": len(manifests[-1])}
        entries.append({**entry, "platform": platform})
    index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": notes})
    return configs, manifests, index


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
