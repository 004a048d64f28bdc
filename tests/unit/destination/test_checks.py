"""What cannot be written is said before the work, in one sentence, and nothing is left behind."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.destination import check_place, check_room
from bertline.errors import DestinationError
from tests.disks import disk, fill


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def refused(path: Path, **more: bool) -> str:
    with pytest.raises(DestinationError) as error:
        check_place(path, "the bundle", **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_place_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    check_place(tmp_path / "a" / "b" / "c", "the bundle")
    check_place(tmp_path, "the report", inside=True)
    assert list(tmp_path.iterdir()) == []


def test_a_name_needs_room_for_its_suffix(tmp_path: Path) -> None:
    """T12: 255 bytes are a name, but not with .writing-01234567 around it."""
    check_place(tmp_path / ("x" * 236), "the bundle")
    message = refused(tmp_path / ("x" * 237))
    assert message.endswith("the name has 237 bytes, but at most 236 are possible; choose a shorter one")
    assert "the name has 300 bytes" in refused(tmp_path / ("ü" * 150))


def test_a_name_or_path_that_the_system_has_not(tmp_path: Path) -> None:
    """T12: NUL, a directory above whose name is too long, a path that is too long, links in a circle."""
    assert refused(tmp_path / "a\0b").endswith("a\\x00b: its name contains a NUL byte; choose another name")
    assert refused(tmp_path / ("x" * 300) / "out").endswith("File name too long; choose a shorter name")
    assert refused(Path(*[str(tmp_path)] + ["x" * 200] * 25)).endswith("File name too long; choose a shorter name")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    refused(tmp_path / "circle" / "out")


def test_below_a_file(file: Path) -> None:
    """T12."""
    assert refused(file / "out") == (
        f"the bundle cannot be written to {file / 'out'}: {file} is not a directory; choose another"
    )
    assert "is not a directory" in refused(file / "a" / "b" / "out")
    assert "is not a directory" in refused(file, inside=True)


def test_a_parent_that_nothing_can_be_made_in() -> None:
    """T12: root too can make nothing in /proc."""
    assert refused(Path("/proc/a/b")).startswith("the bundle cannot be written to /proc/a/b: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_without_the_right_to_write(tmp_path: Path) -> None:
    """T12."""
    (tmp_path / "closed").mkdir(mode=0o555)
    assert refused(tmp_path / "closed" / "out").endswith("Permission denied; choose another place")


def test_a_read_only_file_system(tmp_path: Path) -> None:
    """T12."""
    with disk(tmp_path / "disk", megabytes=1, read_only=True) as place:
        assert refused(place / "out").endswith("out: Read-only file system; choose another place")


def test_free_disk_space_is_compared_with_the_size_to_be_written(tmp_path: Path) -> None:
    """T12."""
    with disk(tmp_path / "disk", megabytes=40) as place:
        check_room(place / "a" / "out", "the bundle", 20 * 2**20)
        with pytest.raises(
            DestinationError, match=r"the bundle needs about 48 MB at .*out, but only 42 MB are free there: "
        ):
            check_room(place / "out", "the bundle", 30 * 2**20)
        filler = fill(place)
        with pytest.raises(DestinationError, match="but only under 1 MB are free there: free some space"):
            check_room(place / "out", "the bundle", 0)
        filler.unlink()


def test_there_is_room_where_a_link_leads(tmp_path: Path) -> None:
    """T12: the link itself may be on a larger disk."""
    with disk(tmp_path / "disk", megabytes=40) as place:
        (tmp_path / "link").symlink_to(place / "out")
        with pytest.raises(DestinationError, match=r"about 48 MB at .*link, but only 42 MB are free there: "):
            check_room(tmp_path / "link", "the bundle", 30 * 2**20)


def test_a_file_system_that_does_not_count_is_not_full() -> None:
    """T12: /proc says 0 of 0 blocks, as some network and FUSE file systems do."""
    assert os.statvfs("/proc").f_blocks == 0
    check_room(Path("/proc/out"), "the bundle", 2**20)


@pytest.fixture
def small_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_limit_on_files_is_named(tmp_path: Path) -> None:
    """T12: ulimit -f."""
    check_room(tmp_path / "out", "the bundle", 2**21, largest_bytes=2**20)
    with pytest.raises(DestinationError, match=r"needs a file of about 2 MB .* at most 1 MB: raise the limit \(ulimit"):
        check_room(tmp_path / "out", "the bundle", 0, largest_bytes=2**21)
