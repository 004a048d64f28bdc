from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.bundle import Manifest, check_new, check_target, load, writing
from bertline.bundle import store as module
from bertline.bundle.verify import check_files
from bertline.errors import BundleError, DestinationError
from tests.disks import disk
from tests.unit.bundle.conftest import FILES, write


def marker(bundle: Path) -> bytes:
    assert load(bundle).manifest.name == "reviews"
    return (bundle / "vocab.txt").read_bytes()


def test_a_written_table_is_loaded(bundle: Path, manifest: Manifest) -> None:
    loaded = load(bundle)
    assert loaded.path == bundle
    assert sorted(loaded.manifest.files) == sorted([*FILES, "vocab.txt"])
    assert loaded.manifest.model_copy(update={"files": {}, "checksum": "0" * 64}) == manifest
    assert loaded.version == loaded.manifest.checksum[:12]
    assert os.listdir(bundle.parent) == ["reviews"]  # noqa: PTH208 - hidden ones too


def test_the_same_content_is_the_same_version(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    again = load(write(tmp_path / "again", manifest))
    other = load(write(tmp_path / "other", manifest, marker=b"two"))
    assert again.version == load(bundle).version != other.version


def test_others_may_read_it(bundle: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert bundle.stat().st_mode & 0o777 == 0o777 & ~mask


def test_parents_are_made_and_an_empty_directory_is_filled(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    assert marker(write(tmp_path / "a" / "b" / "c", manifest)) == b"one"
    assert marker(write(tmp_path / "a" / "empty", manifest)) == b"one"


def test_a_bundle_is_replaced_only_when_asked(bundle: Path, manifest: Manifest) -> None:
    with pytest.raises(BundleError, match="already holds a bundle: choose another directory, or pass --overwrite"):
        write(bundle, manifest, marker=b"two")
    assert marker(bundle) == b"one"
    assert marker(write(bundle, manifest, overwrite=True, marker=b"two")) == b"two"
    assert os.listdir(bundle.parent) == ["reviews"]  # noqa: PTH208 - hidden ones too


def test_a_link_to_a_bundle_stays_a_link(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(bundle)
    write(tmp_path / "current", manifest, overwrite=True, marker=b"two")
    assert (tmp_path / "current").is_symlink()
    assert marker(bundle) == b"two"


@pytest.mark.parametrize("overwrite", [True, False])
def test_anything_else_is_never_replaced(tmp_path: Path, manifest: Manifest, overwrite: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("three years")
    with pytest.raises(BundleError, match="home is not empty and not a bundle, so it is left alone"):
        write(tmp_path / "home", manifest, overwrite=overwrite)
    with pytest.raises(BundleError, match=r"thesis.txt is a file: choose another directory"):
        write(tmp_path / "home" / "thesis.txt", manifest, overwrite=overwrite)
    assert (tmp_path / "home" / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize("foreign", ["notes.txt", ".git/HEAD", "report/mine.csv"])
def test_foreign_files_in_a_bundle_are_not_lost(bundle: Path, manifest: Manifest, foreign: str) -> None:
    (bundle / foreign).parent.mkdir(exist_ok=True)
    (bundle / foreign).write_text("mine")
    with pytest.raises(BundleError, match=f"holds {foreign}, which is no part of the bundle there and would be lost"):
        write(bundle, manifest, overwrite=True)
    assert (bundle / foreign).read_text() == "mine"


def test_a_damaged_bundle_is_replaced_but_an_unrecognisable_directory_is_not(bundle: Path, manifest: Manifest) -> None:
    (bundle / "model.safetensors").write_bytes(b"")
    assert marker(write(bundle, manifest, overwrite=True, marker=b"two")) == b"two"
    (bundle / "bertline.json").write_text("{}")
    with pytest.raises(BundleError, match=r"it is not overwritten: remove .*reviews yourself"):
        write(bundle, manifest, overwrite=True)


def test_the_current_directory_is_not_pulled_away(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BundleError, match="is the current directory or above it: choose a directory below"):
        write(Path(), manifest)


def test_a_target_can_be_checked_before_long_work(bundle: Path, tmp_path: Path) -> None:
    check_target(tmp_path / "new")
    check_target(bundle, overwrite=True)
    with pytest.raises(BundleError, match="already holds a bundle"):
        check_target(bundle)


@pytest.mark.parametrize("name", ["trailing ", " leading", "-x", "ü b", "…", "a'b\"c", "x" * 200])
def test_a_name_that_a_bundle_can_have(tmp_path: Path, manifest: Manifest, name: str) -> None:
    """T12: unusual is not wrong."""
    check_new(tmp_path / name)
    write(tmp_path / name, manifest.model_copy(update={"name": name}))
    assert load(tmp_path / name).manifest.name == name


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\\b", "a\0b", "x" * 201, "\udcff", "a\x7f"])
def test_a_name_that_no_bundle_can_have_is_refused_before_it_is_written(tmp_path: Path, name: str) -> None:
    """T12."""
    with pytest.raises(
        DestinationError, match=r"is not a valid name for a bundle|its name contains a NUL byte; choose another name"
    ):
        check_new(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_mount_point_cannot_hold_a_bundle(tmp_path: Path) -> None:
    """T12: nothing can be renamed to it; a volume of a container is one."""
    with (
        disk(tmp_path / "volume", megabytes=1) as place,
        pytest.raises(DestinationError, match="volume is a mount point, which a bundle cannot replace: choose"),
    ):
        check_target(place)


def test_an_exception_leaves_the_old_bundle_and_nothing_else(bundle: Path, manifest: Manifest) -> None:
    with pytest.raises(KeyboardInterrupt), writing(bundle, manifest, overwrite=True) as staging:  # noqa: PT012
        (staging / "config.json").write_text("half")
        raise KeyboardInterrupt
    assert marker(bundle) == b"one"
    assert os.listdir(bundle.parent) == ["reviews"]  # noqa: PTH208 - hidden ones too


def test_a_full_disk_is_a_sentence(bundle: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "flush", full)
    with pytest.raises(DestinationError, match=r"cannot be written to .*: No space left on device; free some space"):
        write(bundle, manifest, overwrite=True)
    assert marker(bundle) == b"one"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_bundle_holds_only_regular_files(tmp_path: Path, manifest: Manifest, kind: str) -> None:
    with (  # noqa: PT012
        pytest.raises(BundleError, match="extra in the bundle to write is"),
        writing(tmp_path / "reviews", manifest) as staging,
    ):
        if kind == "link":
            (staging / "extra").symlink_to("/dev/null")
        else:
            os.mkfifo(staging / "extra")
    assert not (tmp_path / "reviews").exists()


# Writes over a bundle again and again, each time in a process of its own that is killed one step later: at the
# n-th opening, renaming, making or removing of a file. Prints what the bundle then holds, until one gets through.
CRASHES = """
import os, signal, sys
from pathlib import Path
from bertline.bundle import load, writing

STEPS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")
bundle = Path(sys.argv[1])
manifest = load(bundle).manifest

def write(left):
    def count(event, arguments):
        left[0] -= event in STEPS
        if left[0] < 0:
            left[0] = 10**9
            os.kill(os.getpid(), signal.SIGKILL)

    with writing(bundle, manifest, overwrite=True) as staging:
        (staging / "vocab.txt").write_bytes(b"two")
        sys.addaudithook(count)
    os._exit(0)

for steps in range(1000):
    child = os.fork() or write([steps])
    _, status = os.waitpid(child, 0)
    load(bundle)
    print(steps, (bundle / "vocab.txt").read_text(), "whole" if status == 0 else os.WTERMSIG(status))
    if status == 0:
        break
"""


def test_a_kill_at_any_moment_leaves_one_whole_bundle(bundle: Path, manifest: Manifest) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CRASHES, str(bundle)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    *killed, last = [line.split()[1:] for line in result.stdout.splitlines()]
    assert last == ["two", "whole"]
    assert {status for _, status in killed} == {str(signal.SIGKILL.value)}
    contents = [content for content, _ in killed]
    first_two = contents.index("two")
    assert first_two > 5, "it was killed before the exchange"
    assert contents == ["one"] * first_two + ["two"] * (len(contents) - first_two)
    write(bundle, manifest, overwrite=True, marker=b"three")
    assert os.listdir(bundle.parent) == ["reviews"], "the next write sweeps up"  # noqa: PTH208


def test_a_live_writer_is_not_swept_away(bundle: Path, manifest: Manifest) -> None:
    with writing(bundle, manifest, overwrite=True) as staging:
        (staging / "vocab.txt").write_bytes(b"slow")
        write(bundle, manifest, overwrite=True, marker=b"fast")
        assert marker(bundle) == b"fast"
    assert marker(bundle) == b"slow"


def test_leftovers_that_cannot_be_deleted_block_nothing(bundle: Path, manifest: Manifest) -> None:
    """T12: another user's, or a link; its removal is no part of writing a bundle."""
    left = bundle.with_name(f".{bundle.name}.writing-01234567")
    left.symlink_to("nowhere")
    write(bundle, manifest, overwrite=True, marker=b"new")
    assert marker(bundle) == b"new"
    assert left.is_symlink()


def test_the_second_of_two_writers_gets_an_error(tmp_path: Path, manifest: Manifest) -> None:
    target = tmp_path / "reviews"
    with pytest.raises(BundleError, match="already holds a bundle"), writing(target, manifest) as staging:  # noqa: PT012
        (staging / "vocab.txt").write_bytes(b"slow")
        write(target, manifest, marker=b"fast")
    assert marker(target) == b"fast"


def test_an_interrupted_replacement_without_exchange_says_how_to_go_back(bundle: Path) -> None:
    bundle.rename(bundle.parent / ".reviews.previous-1a2b3c4d")
    with pytest.raises(BundleError, match=r"mv .*\.reviews\.previous-1a2b3c4d .*reviews brings it back"):
        load(bundle)


def test_a_bundle_replaced_while_it_is_read_is_read_again(
    bundle: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []

    def check(directory: Path, expected: Manifest, *, hashes: bool) -> None:
        checks.append(expected.checksum)
        if len(checks) == 1:
            write(bundle, manifest, overwrite=True, marker=b"two")
        check_files(directory, expected, hashes=hashes)

    monkeypatch.setattr(module, "check_files", check)
    assert load(bundle).manifest.checksum == checks[1] != checks[0]


def test_a_replaced_bundle_is_not_current(bundle: Path, manifest: Manifest) -> None:
    before = load(bundle)
    write(bundle, manifest, overwrite=True, marker=b"two")
    assert not before.is_current()


def test_loading_imports_no_torch(bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bertline.bundle import load; load(Path(sys.argv[1])); "
        "print([name for name in ('torch', 'tokenizers', 'safetensors') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(bundle)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "[]"
