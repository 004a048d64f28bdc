"""A further tag for a bundle in a directory, a bucket and a registry."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bertline.bundle import Bundle, load
from bertline.errors import StoreError, UsageError
from bertline.registry.fetch import parse_address, pull_to, push, tag
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.oci_image import digest_of
from bertline.registry.fetch.source import Absent
from tests.bucket_server import Bucket
from tests.registry_server import registry_server
from tests.unit.registry.fetch.conftest import pushed, written


def test_a_tag_moves_from_one_bundle_to_the_next_and_back(shelf: Address, bundle: Bundle, tmp_path: Path) -> None:
    other = written(tmp_path / "other", files={"config.json": b"{}"})
    pushed(other, replace(shelf, tag="v2"))
    for address, there in ((shelf, bundle), (replace(shelf, tag="v2"), other), (shelf, bundle)):
        assert tag(address, "production") == shelf.pinned(there.manifest.checksum)
        pull_to(replace(shelf, tag="production"), tmp_path / "out", overwrite=True)
        assert load(tmp_path / "out").manifest == there.manifest
    assert tag(shelf.pinned(other.manifest.checksum), "production").pin == other.manifest.checksum


def test_a_bundle_in_a_bucket_is_tagged(bucket: Bucket, bundle: Bundle, tmp_path: Path) -> None:
    push(bundle.path, parse_address("s3://models/reviews:v1"))
    assert tag(parse_address("s3://models/reviews:v1"), "production").pin == bundle.manifest.checksum
    pull_to(parse_address("s3://models/reviews:production"), tmp_path / "out")
    assert load(tmp_path / "out").manifest == bundle.manifest


def test_an_image_is_tagged_by_the_bytes_that_it_has(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with registry_server() as repository:
        repository.token = "ticket"
        address = parse_address(f"oci://{repository.host}/team/reviews:v1")
        pinned = push(bundle.path, address)
        repository.manifests[f"sha256:{pinned.pin}"] = repository.manifests["v1"]
        layers = dict(repository.blobs)
        assert tag(address, "production") == pinned
        assert digest_of(repository.manifests["production"]) == f"sha256:{pinned.pin}"
        assert repository.blobs == layers
        repository.manifests["v2"] = b'{"mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'
        repository.manifests[digest_of(repository.manifests["v2"])] = repository.manifests["v2"]
        with pytest.raises(StoreError):
            tag(replace(address, tag="v2"), "production")
        with pytest.raises(Absent, match=r"does not exist \(without the manifest v3\): check its name and tag"):
            tag(replace(address, tag="v3"), "production")
        assert digest_of(repository.manifests["production"]) == f"sha256:{pinned.pin}"


def test_what_has_no_tag(shelf: Address, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'a/b' is not a tag: give letters, digits, _, \. and -, at most 128"):
        tag(shelf, "a/b")
    with pytest.raises(UsageError, match="hf://team/reviews is on the hub, which has commits instead of tags"):
        tag(parse_address("hf://team/reviews"), "production")
    with pytest.raises(Absent, match="names no bundle that was pushed: push one there with bertline models push"):
        tag(replace(shelf, tag="v9"), "production")
    plain = parse_address(f"file:{bundle.path}")
    with pytest.raises(Absent, match="names no bundle that was pushed"):
        tag(plain, "production")
    shutil.copytree(bundle.path, tmp_path / "shelf" / ("0" * 64))
    with pytest.raises(StoreError, match=re.escape("has a manifest of another hash: push the bundle again")):
        tag(shelf.pinned("0" * 64), "production")
    assert not (Path(shelf.place) / "tags" / "production.json").exists()
