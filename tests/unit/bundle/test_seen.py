from __future__ import annotations

from pathlib import Path

import pytest

from bertline.bundle.seen import FILE, seen_among, write_seen
from bertline.errors import BundleError


def test_texts_are_known_again(tmp_path: Path) -> None:
    write_seen(tmp_path, ["A good film.", ("one", "two"), "A good film."])
    found = seen_among(tmp_path, ["a  GOOD film", "a bad film", ("one", "two"), "one"])
    assert found is not None
    assert found.tolist() == [True, False, True, False]
    assert b"good" not in (tmp_path / FILE).read_bytes()


def test_a_bundle_without_hashes_does_not_say(tmp_path: Path) -> None:
    assert seen_among(tmp_path, ["a film"]) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write_seen(tmp_path, ["a film"])
    (tmp_path / FILE).write_bytes(b"no array")
    with pytest.raises(BundleError, match=r"seen\.npy is not a list of hashes .*: write the bundle again"):
        seen_among(tmp_path, ["a film"])
