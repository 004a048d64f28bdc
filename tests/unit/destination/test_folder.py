"""Several files of one directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bertline.destination import write_files
from bertline.errors import DestinationError


def test_files_are_written_to_their_folders(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.yml").write_text("old")
    paths = write_files({"a.yml": "new", "b/c.yml": "ü"}, tmp_path / "out", "the files")
    assert not os.access(paths[0], os.X_OK)
    assert [path.read_text(encoding="utf-8") for path in paths] == ["new", "ü"]
    assert sorted(one.name for one in (tmp_path / "out").rglob("*")) == ["a.yml", "b", "c.yml"]


def test_a_script_is_executable(tmp_path: Path) -> None:
    [path] = write_files({"run": "#!/bin/sh\necho run"}, tmp_path, "the files")
    assert os.access(path, os.X_OK)


def test_an_unwritable_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError, match="the files cannot be written to"):
        write_files({"a": "b"}, tmp_path / "file", "the files")
