"""A file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bertline.destination import as_destination_error, replace_file
from bertline.errors import DestinationError
from tests.disks import disk, fill


def test_it_is_replaced_in_one_step_with_the_given_mode(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("old")
    replace_file(tmp_path / "key", b"new", mode=0o600)
    assert (tmp_path / "key").read_bytes() == b"new"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["key"]  # noqa: PTH208 - hidden ones too


@pytest.mark.parametrize("fresh", [True, False])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, fresh: bool) -> None:
    """T12."""
    with disk(tmp_path / "disk", megabytes=1) as place:
        (place / "old").write_bytes(b"old")
        fill(place)
        name = "new" if fresh else "old"
        with (
            pytest.raises(DestinationError, match="No space left on device; free some space, or choose another place"),
            as_destination_error(place / name, "the key"),
        ):
            replace_file(place / name, b"x" * 100_000, fresh=fresh)
        assert sorted(os.listdir(place)) == ["filler", "old"]  # noqa: PTH208
        assert (place / "old").read_bytes() == b"old"


def test_a_fresh_file_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("old")
    with pytest.raises(FileExistsError):
        replace_file(tmp_path / "key", b"new", fresh=True)
    assert (tmp_path / "key").read_text() == "old"
