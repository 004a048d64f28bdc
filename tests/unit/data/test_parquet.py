"""Parquet: rows by record batch, with their numbers; types are those of the first row group."""

from __future__ import annotations

import datetime
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.data import parquet
from bertline.data.parquet import read_parquet
from bertline.data.rows import Row, UnreadableValue
from bertline.data.table import open_writer, read_rows
from bertline.errors import DataError


def stored(table: Any) -> io.BytesIO:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream


def write(path: Path, values: list[Any]) -> None:
    with open_writer(path, columns=["a"]) as rows:
        for value in values:
            rows.write({"a": value})


def test_rows_are_numbered_over_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "READ_ROWS", 4)
    stream = stored(pa.table({"text": [f"text {i}" for i in range(10)], "label": [i % 2 == 0 for i in range(10)]}))
    assert list(read_parquet(stream, "t.parquet")) == [
        Row(i + 1, {"text": f"text {i}", "label": i % 2 == 0}) for i in range(10)
    ]


def test_dictionary_columns_are_strings() -> None:
    stream = stored(pa.table({"label": pa.array(["a", "b", "a"]).dictionary_encode()}))
    assert [row.values for row in read_parquet(stream, "t") if isinstance(row, Row)] == [
        {"label": "a"},
        {"label": "b"},
        {"label": "a"},
    ]


def test_a_value_that_cannot_be_read_costs_only_itself() -> None:
    """T10: what nobody reads makes no row bad; whoever reads it learns why it is not there."""
    offsets, data = pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")
    texts = pa.StringArray.from_buffers(3, offsets, data)
    assert list(read_parquet(stored(pa.table({"text": texts})), "t.parquet")) == [
        Row(1, {"text": "a"}),
        Row(2, {"text": UnreadableValue("its byte 0xff at 1 is not UTF-8")}),
        Row(3, {"text": "b"}),
    ]


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["text", "text"])
    with pytest.raises(DataError, match=r"t\.parquet has two columns 'text': rename one of them"):
        list(read_parquet(stored(table), "t.parquet"))


@pytest.mark.parametrize("content", [b"", b"text,label\nx,y\n", b"PAR1PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_a_file_that_is_not_parquet(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet \(.*\): write or copy it again"):
        list(read_rows(tmp_path / "t.parquet"))


def test_damage_inside_a_file_is_reported_with_the_last_good_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "READ_ROWS", 100)
    stream = io.BytesIO()
    table = pa.table({"text": [f"text number {i}" for i in range(200)]})
    pq.write_table(table, stream, row_group_size=100, compression="gzip")
    content = bytearray(stream.getvalue())
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(1).column(0)
    start = group.dictionary_page_offset
    content[start : start + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    rows = read_parquet(io.BytesIO(content), "t.parquet")
    assert next(rows) == Row(1, {"text": "text number 0"})
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet after row 100"):
        list(rows)


def test_the_types_come_from_the_first_row_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parquet, "WRITE_ROWS", 2)
    path = tmp_path / "t.parquet"
    with open_writer(path, columns=["text", "note"]) as rows:
        for i in range(5):
            rows.write({"text": f"{i}", "note": None if i < 2 else "later"})
    assert pq.ParquetFile(path).metadata.num_row_groups == 3
    assert [row.values["note"] for row in read_rows(path) if isinstance(row, Row)] == [None, None, *["later"] * 3]


@pytest.mark.parametrize(
    "values", [["x", 1], ["x", "y", 1], [1, 2, "x"], [1, 2, 2.5], [True, 1], [10**40], [{}], [object()]]
)
def test_values_of_several_types_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: list[Any]
) -> None:
    monkeypatch.setattr(parquet, "WRITE_ROWS", 2)
    message = r"column 'a' of .*t\.parquet has values of several types, .* or JSON lines"
    with pytest.raises(DataError, match=message):
        write(tmp_path / "t.parquet", values)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").touch()
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from bertline.data.table import read_rows\n"
        "from bertline.errors import DataError\n"
        "try: list(read_rows('t.parquet'))\n"
        "except DataError as error: print(error)"
    )
    source = str(Path(parquet.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": source}, capture_output=True, check=True
    )
    assert run.stdout.decode().strip() == (
        "a Parquet table needs pyarrow: install bertline[parquet], or use CSV or JSON lines"
    )


def old_timestamps(path: Path, *moments: datetime.datetime | int) -> Path:
    """A file with timestamps of 96 bits, as Hive, Impala and older releases of Spark write them."""
    kind = pa.timestamp("ns" if isinstance(moments[0], int) else "us")
    values = pa.array(moments, kind)
    table = pa.table(
        {"text": ["a"] * len(moments), "at": values, "list": pa.array([[one] for one in moments], pa.list_(kind))}
    )
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    return path


def test_timestamps_of_96_bits_are_read_in_a_unit_that_fits(tmp_path: Path) -> None:
    """T10: pyarrow lets the year 9999 overflow in nanoseconds, in silence, and it becomes 1816."""
    far = old_timestamps(tmp_path / "far.parquet", datetime.datetime(9999, 12, 31), datetime.datetime(2026, 1, 2))
    fine = old_timestamps(tmp_path / "fine.parquet", 1, 1_000)
    assert [str(row.values["at"]) for row in read_rows(far) if isinstance(row, Row)] == [
        "9999-12-31T00:00:00",
        "2026-01-02T00:00:00",
    ]
    assert [str(row.values["at"]) for row in read_rows(fine) if isinstance(row, Row)] == [
        "1970-01-01T00:00:00.000000001",
        "1970-01-01T00:00:00.000001000",
    ]


def test_timestamps_of_96_bits_that_no_unit_holds_are_refused(tmp_path: Path) -> None:
    """T10: neither the year nor the nanosecond is dropped in silence."""
    far, fine = pa.array([datetime.datetime(9999, 12, 31)], pa.timestamp("us")), pa.array([1], pa.timestamp("ns"))
    table = pa.table({"text": ["a"], "far": far, "fine": fine})
    pq.write_table(table, tmp_path / "both.parquet", use_deprecated_int96_timestamps=True)
    with pytest.raises(DataError, match=r"96-bit timestamps \('far', 'fine'\), some with nanoseconds and some outside"):
        list(read_rows(tmp_path / "both.parquet"))
