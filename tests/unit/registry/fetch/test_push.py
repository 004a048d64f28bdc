"""Pushing: files first, the manifest then, the tag last; what is there is not sent again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.bundle import Bundle
from bertline.errors import StoreError
from bertline.registry.fetch.address import Address, parse_address
from bertline.registry.fetch.folder import Folder
from bertline.registry.fetch.objects import ObjectSource
from bertline.registry.fetch.push import push_objects
from bertline.registry.fetch.source import Absent


class Counted(Folder):
    """Notes what is put, and fails after some objects."""

    def __init__(self, root: Path, most: int = 99) -> None:
        super().__init__(root)
        self.put_keys, self._most = list[str](), most

    def put(self, key: str, content: Path | bytes) -> None:
        if len(self.put_keys) == self._most:
            raise StoreError("s3://models/reviews is full: free some space there")
        super().put(key, content)
        self.put_keys.append(key)


def push(bundle: Bundle, address: Address, objects: Folder, *, overwrite: bool = False) -> None:
    push_objects(bundle, address, objects, parallel=1, overwrite=overwrite, watch=lambda _, __: None)


def test_the_manifest_and_then_the_tag_come_last(bundle: Bundle, tmp_path: Path) -> None:
    objects, version = Counted(tmp_path / "shelf"), bundle.manifest.checksum
    push(bundle, parse_address("s3://models/reviews:stable"), objects)
    assert objects.put_keys[-2:] == [f"{version}/bertline.json", "tags/stable.json"]
    assert len(objects.put_keys) == len(bundle.manifest.files) + 2


def test_an_interrupted_push_shows_no_bundle_and_the_next_one_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    address = parse_address("s3://models/reviews")
    for most in range(len(bundle.manifest.files) + 1):
        objects = Counted(tmp_path / f"shelf-{most}", most)
        with pytest.raises(StoreError, match="is full"):
            push(bundle, address, objects)
        with pytest.raises(Absent):
            ObjectSource(address, objects)
        again = Counted(objects.root)
        push(bundle, address, again)
        files = {key for key in objects.put_keys if not key.endswith("bertline.json")}
        assert not files & set(again.put_keys)
        ObjectSource(address, again)


def test_overwrite_mends_what_was_altered(bundle: Bundle, tmp_path: Path) -> None:
    address, objects = parse_address("s3://models/reviews"), Folder(tmp_path / "shelf")
    push(bundle, address, objects)
    file = objects.root / bundle.manifest.checksum / "model.safetensors"
    intact = file.read_bytes()
    file.write_bytes(b"!" + intact[1:])
    push(bundle, address, objects)
    assert file.read_bytes() != intact
    push(bundle, address, objects, overwrite=True)
    assert file.read_bytes() == intact
