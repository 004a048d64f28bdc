from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import Manifest, load
from bertline.bundle.manifest import FileRecord
from bertline.errors import BundleError
from tests.unit.bundle.conftest import FILES

EVERY_FILE = [*FILES, "vocab.txt", "bertline.json"]


@pytest.mark.parametrize("path", EVERY_FILE)
def test_a_flipped_byte_is_refused_by_the_files_name(bundle: Path, path: str) -> None:
    content = bytearray((bundle / path).read_bytes())
    content[random.Random(path).randrange(len(content))] ^= 1 << random.Random(path).randrange(8)
    (bundle / path).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{path} (in|of) .*reviews"):
        load(bundle)


@pytest.mark.parametrize("path", EVERY_FILE)
def test_a_truncated_file_is_refused_by_name(bundle: Path, path: str) -> None:
    os.truncate(bundle / path, (bundle / path).stat().st_size - 1)
    with pytest.raises(BundleError, match=rf"{path} .*truncated"):
        load(bundle)


def test_a_truncated_file_says_how_much_is_there(bundle: Path) -> None:
    os.truncate(bundle / "model.safetensors", 100)
    with pytest.raises(BundleError, match=r"model.safetensors in .* is truncated, 100 of 256 bytes: copy or download"):
        load(bundle, verify=False)


def test_a_longer_file_is_altered(bundle: Path) -> None:
    (bundle / "model.safetensors").write_bytes(bytes(300))
    with pytest.raises(BundleError, match="was altered after the bundle was written, 300 bytes instead of 256"):
        load(bundle, verify=False)


def test_without_verifying_contents_are_trusted(bundle: Path) -> None:
    (bundle / "model.safetensors").write_bytes(bytes(256))
    assert load(bundle, verify=False).manifest.name == "reviews"


@pytest.mark.parametrize("path", [*FILES, "vocab.txt"])
def test_a_missing_file_is_named(bundle: Path, path: str) -> None:
    (bundle / path).unlink()
    with pytest.raises(BundleError, match=f"lacks {path}, which its bertline.json lists"):
        load(bundle)


def test_an_unlisted_file_is_refused_because_readers_would_pick_it_up(bundle: Path) -> None:
    (bundle / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BundleError, match=r"pytorch_model.bin is in .* but not in its bertline.json"):
        load(bundle)


def test_hidden_files_are_nobodys_business(bundle: Path) -> None:
    (bundle / ".git" / "objects").mkdir(parents=True)
    (bundle / ".git" / "objects" / "ab").write_bytes(b"")
    (bundle / ".DS_Store").write_bytes(b"")
    assert load(bundle).manifest.name == "reviews"


def test_a_symbolic_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "vocab.txt").rename(tmp_path / "vocab.txt")
    (bundle / "vocab.txt").symlink_to(tmp_path / "vocab.txt")
    with pytest.raises(BundleError, match=r"vocab.txt in .* is a symbolic link.*cp -rL"):
        load(bundle)


def test_a_linked_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "report").rename(tmp_path / "report")
    (bundle / "report").symlink_to(tmp_path / "report")
    with pytest.raises(BundleError, match=r"report/report.html"):
        load(bundle)


def test_a_linked_manifest_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "bertline.json").rename(tmp_path / "elsewhere.json")
    (bundle / "bertline.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleError, match=r"bertline\.json in .* is a symbolic link"):
        load(bundle)


def test_a_pipe_in_place_of_a_file_does_not_hang(bundle: Path) -> None:
    (bundle / "vocab.txt").unlink()
    os.mkfifo(bundle / "vocab.txt")
    with pytest.raises(BundleError, match=r"vocab.txt in .* is not a plain file"):
        load(bundle)


def test_the_bundle_itself_may_be_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(bundle)
    assert load(tmp_path / "current").path == tmp_path / "current"


def test_a_path_that_leaves_the_bundle_is_refused(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    record = FileRecord(sha256="a" * 64, bytes=1)
    escaping = manifest.model_copy(update={"files": {"../secret": record}})
    with pytest.raises(BundleError, match=r"'\.\./secret' is not a path of a file inside the bundle"):
        escaping.sealed(escaping.files)


def test_a_huge_manifest_is_not_read(bundle: Path) -> None:
    os.truncate(bundle / "bertline.json", 2**30)  # sparse: takes no disk
    with pytest.raises(BundleError, match="has 1,073,741,824 bytes, far more than bertline writes"):
        load(bundle)


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere does not exist: give the directory that bertline train wrote"):
        load(tmp_path / "nowhere")


def test_a_file_instead_of_a_directory(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"vocab.txt is a file: give the directory of a bundle"):
        load(bundle / "vocab.txt")


def test_a_directory_that_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle \(no bertline.json\)"):
        load(tmp_path)


def test_the_error_for_a_plain_checkpoint_gives_the_remedy(bundle: Path) -> None:
    (bundle / "bertline.json").unlink()
    with pytest.raises(
        BundleError, match=r"plain HF checkpoint .* bertline train DATA --model .*reviews --out DIR, or"
    ):
        load(bundle)


@pytest.mark.parametrize("path", ["vocab.txt", "bertline.json"])
def test_a_file_without_read_permission(bundle: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refusing(self: Path, *arguments: Any, **options: Any) -> Any:  # root may read everything
        if self.name == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(BundleError, match=r"reviews.* cannot be read: Permission denied"):
        load(bundle)


def test_a_copy_is_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "copy")
    assert load(tmp_path / "copy").version == load(bundle).version
