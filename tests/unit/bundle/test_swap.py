from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bertline.bundle import swap as module
from bertline.bundle.swap import flush, swap


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    return tmp_path / "new", tmp_path / "old"


@pytest.mark.parametrize("atomic", [True, False])
def test_the_new_directory_takes_the_place_of_the_old(
    pair: tuple[Path, Path], atomic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not atomic:
        monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    new, old = pair
    aside = swap(new, old)
    assert [path.name for path in old.iterdir()] == ["new"]
    assert [path.name for path in aside.iterdir()] == ["old"]


def test_if_the_second_rename_fails_the_old_directory_is_back(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    new, old = pair
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self == new:
            raise OSError(errno.EACCES, "no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no"):
        swap(new, old)
    assert [path.name for path in old.iterdir()] == ["old"]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(FileNotFoundError):
        swap(tmp_path / "new", tmp_path / "old")


def test_files_and_directories_can_be_flushed(pair: tuple[Path, Path]) -> None:
    flush(pair[0])
    flush(pair[0] / "new")
    with pytest.raises(FileNotFoundError):
        flush(pair[0] / "none")
