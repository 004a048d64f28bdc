"""From a path or an address to a directory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bertline.bundle import Bundle, load
from bertline.bundle.signing import new_key, read_private_key, sign
from bertline.errors import BundleError, DestinationError, StoreError, UsageError
from bertline.registry.fetch import local_bundle, parse_address, pull_to, push
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.source import Altered
from tests.disks import disk
from tests.unit.registry.fetch.conftest import pushed, written


def test_a_path_stays_a_path() -> None:
    assert local_bundle("runs/reviews") == Path("runs/reviews")
    assert local_bundle(Path("runs/reviews")) == Path("runs/reviews")


def test_a_bundle_in_a_directory_is_used_where_it_lies(shelf: Address, bundle: Bundle) -> None:
    assert local_bundle(str(shelf)) == Path(shelf.place) / bundle.manifest.checksum


def test_a_pull_can_be_interrupted_and_nothing_appears_before_the_end(
    shelf: Address, bundle: Bundle, tmp_path: Path
) -> None:
    class Killed(BaseException): ...

    def watch(here: int, total: int) -> None:
        if here > total / 2:
            raise Killed

    with pytest.raises(Killed):
        pull_to(shelf, tmp_path / "out", watch=watch)
    assert not (tmp_path / "out").exists()
    pulled = pull_to(shelf, tmp_path / "out")
    assert 0 < pulled.received_bytes < sum(file.bytes for file in bundle.manifest.files.values())
    assert load(tmp_path / "out").manifest == bundle.manifest
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_bundle_there_is_replaced_only_with_overwrite(shelf: Address, bundle: Bundle, tmp_path: Path) -> None:
    written(tmp_path / "out", files={"config.json": b"{}"})
    with pytest.raises(BundleError, match="already holds a bundle: choose another directory, or pass --overwrite"):
        pull_to(shelf, tmp_path / "out")
    pull_to(shelf, tmp_path / "out", overwrite=True)
    assert load(tmp_path / "out").manifest == bundle.manifest
    assert pull_to(shelf, tmp_path / "out").received_bytes == 0, "a container that starts again repeats the command"


def test_a_required_signature_is_checked_before_anything_else_is_fetched(
    shelf: Address, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    new_key(tmp_path / "release.key")
    trust = [tmp_path / "release.key.pub"]
    with pytest.raises(BundleError, match=re.escape(f"{shelf} is not signed")) as caught:
        pull_to(shelf, tmp_path / "out", trust=trust)
    assert str(caught.value).endswith("sign it with bertline models sign BUNDLE --key KEY and push it again")
    assert not [path for path in tmp_path.iterdir() if "pulling" in path.name]
    sign(bundle.path, read_private_key(tmp_path / "release.key"))
    pushed(bundle, shelf)
    pull_to(shelf, tmp_path / "out", trust=trust)
    assert (tmp_path / "out" / "bertline.json.sig").exists()
    assert local_bundle(str(shelf), signed_by=trust).is_dir()
    (tmp_path / "bertline.toml").write_text(f'[store]\nrequire_signed_by = ["{trust[0]}"]\n')
    other = parse_address(f"file:{tmp_path / 'other'}")
    pushed(written(tmp_path / "unsigned", files={"config.json": b"{}"}), other)
    with pytest.raises(BundleError, match="is not signed"):
        local_bundle(str(other))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(shelf: Address, tmp_path: Path) -> None:
    with disk(tmp_path / "small", megabytes=2) as small:
        sentence = r"the bundle needs about \d+ MB at .*, but only 2 MB are free there: free some space, or choose"
        with pytest.raises(DestinationError, match=sentence):
            pull_to(shelf, small / "out")
        assert list(small.iterdir()) == []


def test_a_push_to_a_pinned_address_is_refused(bundle: Bundle, shelf: Address) -> None:
    with pytest.raises(UsageError, match="is pinned, and what is pushed has its own hash: leave out @"):
        push(bundle.path, shelf.pinned("0" * 64))


def test_another_bundle_than_the_pinned_one_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundle.path, tmp_path / "shelf" / ("0" * 64))
    address = parse_address(f"file:{tmp_path / 'shelf'}@sha256:{'0' * 64}")
    with pytest.raises(StoreError, match=r"holds the bundle .* and not the pinned one"):
        local_bundle(str(address))


def test_a_file_that_was_altered_at_its_address_is_refused(shelf: Address, bundle: Bundle, tmp_path: Path) -> None:
    file = Path(shelf.place) / bundle.manifest.checksum / "config.json"
    file.write_bytes(file.read_bytes().replace(b"bert", b"tree"))
    with pytest.raises(Altered, match=r"config.json at .* is not the file that its manifest lists"):
        pull_to(shelf, tmp_path / "out")
    assert not (tmp_path / "out").exists()
