"""Bundles in a registry, against a small one over HTTP; tests/stores has a real registry and skopeo."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.bundle import Bundle, load
from bertline.errors import StoreError
from bertline.registry.fetch import parse_address, pull_to, push
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.oci_image import IMAGE, digest_of
from bertline.registry.fetch.source import Absent, Altered
from tests.registry_server import Repository, registry_server


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    with registry_server() as server:
        yield server


@pytest.fixture
def address(repository: Repository) -> Address:
    return parse_address(f"oci://{repository.host}/team/reviews:v1")


def repacked(repository: Repository, change) -> None:  # type: ignore[no-untyped-def]
    """Write the tag v1 again, each layer changed: as tools do that compress them, or as a forger would."""
    index = json.loads(repository.manifests["v1"])
    image = json.loads(repository.manifests[index["manifests"][0]["digest"]])
    for layer in image["layers"]:
        content = change(repository.blobs[layer["digest"]])
        repository.blobs[digest_of(content)] = content
        layer |= {"digest": digest_of(content), "size": len(content)}
    repository.manifests["v1"] = json.dumps(image | {"mediaType": IMAGE}).encode()


def test_what_is_pushed_is_pulled_by_tag_and_by_digest(
    repository: Repository, address: Address, bundle: Bundle, tmp_path: Path
) -> None:
    repository.token, repository.lost_patches = "ticket", 2
    pinned = push(bundle.path, address)
    assert str(pinned) == f"oci://{repository.host}/team/reviews@{digest_of(repository.manifests['v1'])}"
    repository.manifests[f"sha256:{pinned.pin}"] = repository.manifests["v1"]
    for out, one in (("a", address), ("b", pinned)):
        pull_to(one, tmp_path / out)
        assert load(tmp_path / out).manifest == bundle.manifest
    repository.manifests[f"sha256:{pinned.pin}"] += b" "
    with pytest.raises(Altered, match="has a manifest of another hash: the registry is damaged"):
        pull_to(pinned, tmp_path / "c")


def test_compressed_layers_are_read(repository: Repository, address: Address, bundle: Bundle, tmp_path: Path) -> None:
    push(bundle.path, address)
    repacked(repository, gzip.compress)
    pull_to(address, tmp_path / "out")
    assert load(tmp_path / "out").manifest == bundle.manifest


def test_a_changed_file_and_one_that_is_not_listed_are_refused(
    repository: Repository, address: Address, bundle: Bundle, tmp_path: Path
) -> None:
    def more(content: bytes) -> bytes:
        file = io.BytesIO(content)
        with tarfile.open(fileobj=file, mode="a") as archive:
            archive.addfile(tarfile.TarInfo("../../escaped"), io.BytesIO())
        return file.getvalue()

    for change, sentence in (
        (lambda content: content.replace(b'"bert"', b'"tree"'), "config.json at .* is not the file that its manifest"),
        (more, "holds '../../escaped', which its bertline.json does not list: push again"),
        (lambda content: content[:700], "a layer of .* is no tar file"),
    ):
        push(bundle.path, address)
        repacked(repository, change)
        with pytest.raises(Altered, match=sentence):
            pull_to(address, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_an_image_of_something_else_and_none_are_named(
    repository: Repository, address: Address, tmp_path: Path
) -> None:
    with pytest.raises(Absent, match=re.escape(f"{address} does not exist (without the manifest v1): check its name")):
        pull_to(address, tmp_path / "out")
    repository.manifests["v1"] = b'{"layers": []}'
    with pytest.raises(StoreError, match=re.escape(f"{address} is not an image of a bundle (no bertline.json in its")):
        pull_to(address, tmp_path / "out")
    layer = {"digest": f"sha256:{'0' * 64}", "size": 1, "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}
    repository.manifests["v1"] = json.dumps({"layers": [layer]}).encode()
    with pytest.raises(
        StoreError, match="is compressed with zstd: copy it with skopeo copy --dest-compress-format gzip"
    ):
        pull_to(address, tmp_path / "out")
