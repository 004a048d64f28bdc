from __future__ import annotations

from pathlib import Path

import pytest

from bertline.distributed.inputs import find_inputs
from bertline.errors import DataError


def test_a_directory_has_its_tables_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a/z.csv.gz", "_SUCCESS", ".hidden.csv", "_tmp/c.csv", "notes.md", "C.CSV"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    inputs = find_inputs(str(tmp_path))
    assert [(one.name, one.bytes) for one in inputs.files()] == [("C.CSV", 2), ("a/z.csv.gz", 2), ("b.csv", 2)]
    assert inputs.shown("b.csv") == str(tmp_path / "b.csv")
    with inputs.open("b.csv") as stream:
        assert stream.read() == b"12"


def test_one_file_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    assert [one.name for one in find_inputs(str(tmp_path / "b.csv")).files()] == ["b.csv"]


def test_a_place_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r" has no tables: give a place with files named \.csv, \.tsv"):
        find_inputs(str(tmp_path)).files()
    with pytest.raises(DataError, match=r"new\.csv does not exist: check the path"):
        find_inputs(str(tmp_path / "new.csv")).files()
