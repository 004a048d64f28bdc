"""What is written can be read again, and a file appears complete or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.data.rows import Row, UnreadableValue
from bertline.data.table import read_rows
from bertline.data.writer import open_writer
from bertline.errors import DataError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TEXT_FORMATS = ["csv", "tsv", "jsonl", "csv.gz", "tsv.gz", "jsonl.gz"]


def written(path: Path, rows: Iterable[Mapping[str, Any]], columns: list[str]) -> list[dict[str, object]]:
    """The rows as they come back."""
    with open_writer(path, columns=columns) as writer:
        for row in rows:
            writer.write(row)
    back = list(read_rows(path))
    assert all(isinstance(row, Row) for row in back), back
    return [row.values for row in back if isinstance(row, Row)]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
@settings(max_examples=25)
@given(texts=st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_strings_round_trip(suffix: str, texts: list[tuple[str, str]]) -> None:
    rows = [{"text": text, "label": label} for text, label in texts]
    with tempfile.TemporaryDirectory() as directory:
        assert written(Path(directory) / f"t.{suffix}", rows, ["text", "label"]) == rows


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "jsonl.gz"])
@settings(max_examples=25)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_a_single_column_comes_back_with_its_empty_values(suffix: str, texts: list[str]) -> None:
    rows = [{"text": text} for text in texts]
    with tempfile.TemporaryDirectory() as directory:
        assert written(Path(directory) / f"t.{suffix}", rows, ["text"]) == rows


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@settings(max_examples=25)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "yes": st.booleans() | st.none(),
                "count": st.integers(-(2**63), 2**63 - 1) | st.none(),
                "share": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
                "parts": st.lists(TEXTS, max_size=2),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_values_keep_their_types_where_the_format_has_them(suffix: str, rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        assert written(Path(directory) / f"t.{suffix}", rows, ["yes", "count", "share", "parts"]) == rows


def test_csv_writes_other_values_as_json(tmp_path: Path) -> None:
    row = {"yes": True, "count": 3, "share": 0.1, "parts": ["a", {"b": None}], "none": None}
    assert written(tmp_path / "t.csv", [row], [*row, "missing"]) == [
        {"yes": "true", "count": "3", "share": "0.1", "parts": '["a", {"b": null}]', "none": "", "missing": ""}
    ]


def test_columns_without_a_value_are_null(tmp_path: Path) -> None:
    for suffix in ("jsonl", "parquet"):
        assert written(tmp_path / f"t.{suffix}", [{"b": "x"}], ["a", "b"]) == [{"a": None, "b": "x"}]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    assert written(tmp_path / "t.csv", [], ["a", "b"]) == []
    assert (tmp_path / "t.csv").read_text() == "a,b\n"
    assert written(tmp_path / "t.parquet", [], ["a", "b"]) == []


def test_a_key_without_a_column_is_refused_where_columns_are_fixed(tmp_path: Path) -> None:
    for suffix in ("csv", "tsv.gz", "parquet"):
        with pytest.raises(DataError, match=rf"t\.{suffix} has no column 'b', .*: write JSON lines instead"):
            written(tmp_path / f"t.{suffix}", [{"a": "x"}, {"a": "y", "b": "z"}], ["a"])
    assert written(tmp_path / "t.jsonl", [{"b": "z", "a": "y"}], ["a"]) == [{"a": "y", "b": "z"}]
    assert list(tmp_path.iterdir()) == [tmp_path / "t.jsonl"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("x\ud83d", "half of a surrogate pair, which is not a character"),
        ("x\0", "a NUL character"),
        (UnreadableValue("its byte 0xff at 1 is not UTF-8"), "its byte 0xff at 1 is not UTF-8"),
        ([object()], "it is of type object"),
    ],
)
def test_a_value_that_csv_cannot_hold_is_refused_and_not_changed(tmp_path: Path, value: object, fault: str) -> None:
    """T10: half of a surrogate pair used to become the six characters of its escape."""
    message = rf"t\.csv cannot store a value of column 'a' \({fault}\), because CSV cannot represent it"
    with pytest.raises(DataError, match=message):
        written(tmp_path / "t.csv", [{"a": value}], ["a"])
    assert list(tmp_path.iterdir()) == []


def test_half_of_a_surrogate_pair_is_an_escape_in_json(tmp_path: Path) -> None:
    with open_writer(tmp_path / "t.jsonl", columns=["a"]) as writer:
        writer.write({"a": "x\ud83d"})
    assert (tmp_path / "t.jsonl").read_text() == '{"a": "x\\ud83d"}\n'


@pytest.mark.parametrize("suffix", [*TEXT_FORMATS, "parquet"])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_text("old")

    def interrupted() -> Iterator[dict[str, str]]:
        yield {"a": "new"}
        assert path.read_text() == "old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(path, interrupted(), ["a"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    written(tmp_path / "t.csv", [], ["a"])
    assert (tmp_path / "t.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "t.csv").symlink_to("there/real.csv")
    assert written(tmp_path / "t.csv", [{"a": "x"}], ["a"]) == [{"a": "x"}]
    assert (tmp_path / "t.csv").is_symlink()
    assert (tmp_path / "there" / "real.csv").read_text() == "a\nx\n"


def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("/dev/null")
    with open_writer(tmp_path / "t.csv", columns=["a"]) as rows:
        rows.write({"a": "x"})
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_is_written_by_the_name_that_a_shell_gives_it(tmp_path: Path) -> None:
    """T12: >(gzip) and /dev/stdout are links to pipes, which are in no directory."""
    taking, giving = os.pipe()
    with os.fdopen(taking, "rb") as reader:
        with os.fdopen(giving, "wb"), open_writer(f"/dev/fd/{giving}", columns=["a"], format="csv") as rows:
            rows.write({"a": "x"})
        assert reader.read() == b"a\nx\n"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "d.csv").mkdir()
    for name, sentence in [
        ("d.csv", r"d\.csv is a directory: give the name of a file to write"),
        ("none/t.csv", r"t\.csv cannot be written: create the directory .*/none first"),
        ("t.parquet.gz", r"t\.parquet\.gz cannot be gzipped Parquet: .* remove \.gz from the name"),
        (
            f"{'x' * 300}.csv",
            r"x\.csv cannot be written \(File name too long\): free some space, or choose another place",
        ),
    ]:
        with pytest.raises(DataError, match=sentence), open_writer(tmp_path / name, columns=["a"]):
            pass


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "parquet"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_reported(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"t.{suffix}").symlink_to("/dev/full")
    with pytest.raises(DataError, match=rf"t\.{suffix} cannot be written \(No space left on device\): free some space"):
        written(tmp_path / f"t.{suffix}", [{"a": f"{i}" * 100} for i in range(1_000)], ["a"])


def test_an_error_of_the_caller_stays_the_callers(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mine"), open_writer(tmp_path / "t.csv", columns=["a"]):
        raise OSError("mine")


def test_equal_rows_make_equal_gzip_files(tmp_path: Path) -> None:
    for name in ("one.csv.gz", "two.csv.gz"):
        written(tmp_path / name, [{"a": "x"}], ["a"])
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.csv.gz").read_bytes()) == b"a\nx\n"


@pytest.mark.parametrize("format", [None, "tsv", "jsonl", "parquet"])
def test_standard_output_stays_open(monkeypatch: pytest.MonkeyPatch, format: str | None) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, write_through=False))
    sys.stdout.write("before\n")
    with open_writer("-", format=format, columns=["a", "b"]) as rows:
        rows.write({"a": "x", "b": 1})
    assert not sys.stdout.closed
    content = raw.getvalue().removeprefix(b"before\n")
    if format == "parquet":
        assert content[:4] == content[-4:] == b"PAR1"
    elif format == "jsonl":
        assert json.loads(content) == {"a": "x", "b": 1}
    else:
        assert content == (b"a,b\nx,1\n" if format is None else b"a\tb\nx\t1\n")


def test_a_broken_pipe_is_for_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.FileIO(writer, "wb")))  # type: ignore[type-var]
    with pytest.raises(BrokenPipeError), open_writer("-", columns=["a"]) as rows:
        rows.write({"a": "x"})
    sys.stdout.detach().close()
