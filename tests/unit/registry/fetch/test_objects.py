"""How bundles lie in a directory or bucket: versions, tags, plain bundles, and what is wrong with them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bertline.bundle import Bundle
from bertline.errors import StoreError
from bertline.registry.fetch.address import Address, parse_address
from bertline.registry.fetch.folder import Folder
from bertline.registry.fetch.objects import ObjectSource, Opened, tag_key
from bertline.registry.fetch.source import Absent, Altered, Denied
from tests.unit.registry.fetch.conftest import pushed, tag_file, written


def opened(address: Address) -> ObjectSource:
    return ObjectSource(address, Folder(Path(address.place)))


def test_a_tag_names_the_newest_push_and_a_hash_names_any(shelf: Address, bundle: Bundle, tmp_path: Path) -> None:
    newer = written(tmp_path / "newer", files={"config.json": b"{}"})
    pinned = pushed(newer, shelf)
    assert opened(shelf).folder == f"{newer.manifest.checksum}/"
    assert opened(pinned).folder == f"{newer.manifest.checksum}/"
    assert opened(shelf.pinned(bundle.manifest.checksum)).folder == f"{bundle.manifest.checksum}/"


def test_a_directory_with_a_plain_bundle_is_an_address_too(bundle: Bundle) -> None:
    source = opened(parse_address(f"file:{bundle.path}"))
    assert source.folder == ""
    assert source.manifest == (bundle.path / "bertline.json").read_bytes()


def test_an_address_without_a_bundle_is_named(tmp_path: Path, shelf: Address) -> None:
    sentence = f"file:{tmp_path / 'empty'} holds no bundle: push one there with bertline models push"
    with pytest.raises(Absent, match=re.escape(sentence)):
        opened(parse_address(f"file:{tmp_path / 'empty'}"))
    with pytest.raises(Absent, match=re.escape(f"{shelf}:stable holds no bundle with the tag stable: push one there")):
        opened(parse_address(f"{shelf}:stable"))


def test_a_damaged_tag_is_named(shelf: Address) -> None:
    for content in (b"", b"[]", tag_file("12"), tag_file("../" * 21 + "x"), b'{"version": 1}'):
        (Path(shelf.place) / tag_key("latest")).write_bytes(content)
        with pytest.raises(StoreError, match=re.escape(f"the tag latest of {shelf} is damaged: push the bundle there")):
            opened(shelf)


def test_a_missing_and_a_truncated_file_are_named(shelf: Address, bundle: Bundle) -> None:
    source = opened(shelf)
    (part,) = (one for one in source.parts(bundle.manifest) if one.path == "model.safetensors")
    file = Path(shelf.place) / source.folder / part.path
    file.write_bytes(file.read_bytes()[:1000])
    sentence = (
        f"model.safetensors at {shelf} is truncated, 1,000 instead of 3,145,728 bytes: push the bundle again with"
    )
    with pytest.raises(Altered, match=re.escape(sentence)):
        source.read(part, 0)
    file.unlink()
    with pytest.raises(Altered, match=re.escape(f"{shelf} lacks model.safetensors, which its bertline.json lists")):
        source.read(part, 0)


def test_without_the_right_to_list_what_is_denied_may_be_absent(bundle: Bundle) -> None:
    """S3 answers 403 for an object that does not exist, unless the credentials may list the bucket."""

    class Guarded(Folder):
        def read(self, key: str, start: int = 0) -> Opened:
            try:
                return super().read(key, start)
            except Absent:
                raise Denied("s3://models/reviews denies access") from None

    address = parse_address("s3://models/reviews")
    assert ObjectSource(address, Guarded(bundle.path)).signature is None
    shutil.rmtree(bundle.path)
    with pytest.raises(Denied, match="denies access"):
        ObjectSource(address, Guarded(bundle.path))
