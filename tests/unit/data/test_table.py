"""Tables are read in constant memory from any source; what cannot be read is told with its name and line."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.data.rows import UNDECODABLE, BadRow, Row
from bertline.data.table import file_format, open_writer, read_bytes, read_rows
from bertline.errors import DataError, SettingsError

TABLE = "text,label\nnaïve 👍,pos\nbad,neg\n"
ROWS = [Row(2, {"text": "naïve 👍", "label": "pos"}), Row(3, {"text": "bad", "label": "neg"})]


def stdin(monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))


class Endless(io.RawIOBase):
    """A pipe that never ends."""

    def __init__(self) -> None:
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = (b"text,label\n" if not self.bytes_read else b"fine,pos\n")[: len(buffer)]
        buffer[: len(part)] = part
        self.bytes_read += len(part)
        return len(part)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.CSV"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_plain_or_gzipped_with_or_without_a_byte_order_mark(
    tmp_path: Path, name: str, mark: bytes, packed: bool
) -> None:
    content = mark + TABLE.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if packed else content)  # seen from the bytes, not the name
    assert list(read_rows(path)) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(TABLE.replace(" 👍", "").encode(encoding))
    assert [row.values["text"] for row in read_rows(path, encoding=encoding) if isinstance(row, Row)] == [
        "naïve",
        "bad",
    ]


def test_bytes_of_another_encoding_cost_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text,label\nfine,a\nna\xefve,b\nfine,c\n")
    assert list(read_rows(path))[1] == BadRow(3, UNDECODABLE, "0xef at character 3 is not utf-8")
    assert list(read_rows(path, encoding="latin-1"))[1] == Row(3, {"text": "naïve", "label": "b"})


def test_standard_input_is_csv_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, io.BufferedReader(io.BytesIO(TABLE.encode())))  # type: ignore[arg-type]
    assert list(read_rows("-")) == ROWS
    assert not sys.stdin.closed
    assert not sys.stdin.buffer.closed


def test_standard_input_in_memory_gzipped_and_in_a_given_format(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, io.BytesIO(gzip.compress(b'{"text": "x"}\n')))
    assert list(read_rows("-", format="jsonl")) == [Row(1, {"text": "x"})]
    assert not sys.stdin.buffer.closed


def test_rows_come_out_while_the_input_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Endless()
    stdin(monkeypatch, io.BufferedReader(pipe))
    rows = read_rows("-")
    assert [next(rows).line for _ in range(1_000)] == list(range(2, 1_002))
    assert pipe.bytes_read < 100_000


def test_an_abandoned_table_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    rows = read_rows(path)
    next(rows)
    assert isinstance(rows, Iterator)
    del rows  # an open file would be a ResourceWarning, which is an error in these tests


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist: check the path"):
        read_rows(tmp_path / "none.csv")
    (tmp_path / "t.csv").touch()
    with pytest.raises(DataError, match=r"t\.csv/none\.csv does not exist"):
        read_rows(tmp_path / "t.csv" / "none.csv")


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"t\.csv is a directory: give a file in it"):
        read_rows(tmp_path / "t.csv")


def test_a_path_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\): check the path"):
        read_rows(tmp_path / f"{'x' * 300}.csv")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "t.csv").touch()
    monkeypatch.setattr(Path, "open", refuse)  # root, as whom tests may run, may read every file
    with pytest.raises(DataError, match=r"t\.csv cannot be read \(Permission denied\): check its permissions"):
        list(read_rows(tmp_path / "t.csv"))


@pytest.mark.parametrize("kept", [3, 12, 200])
@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz", "t.parquet.gz"])
def test_a_truncated_gzip_file(tmp_path: Path, name: str, kept: int) -> None:
    rows = "".join(f"{os.urandom(8).hex()},pos\n" for _ in range(1_000))
    (tmp_path / name).write_bytes(gzip.compress(f"text,label\n{rows}".encode())[:kept])
    with pytest.raises(DataError, match=rf"{name} is truncated or damaged.*: copy it again"):
        list(read_rows(tmp_path / name))


def test_a_gzip_file_truncated_late_gives_the_rows_before(tmp_path: Path) -> None:
    lines = "".join(f"{os.urandom(8).hex()},pos\n" for _ in range(10_000))
    packed = gzip.compress(f"text,label\n{lines}".encode())
    (tmp_path / "t.csv.gz").write_bytes(packed[: len(packed) // 2])
    rows = read_rows(tmp_path / "t.csv.gz")
    assert next(rows).line == 2
    with pytest.raises(DataError, match=r"t\.csv\.gz is truncated or damaged after line [1-9][0-9]{3} \("):
        list(rows)


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TABLE.encode()))
    packed[-6] ^= 0xFF  # in the checksum
    (tmp_path / "t.csv.gz").write_bytes(packed)
    with pytest.raises(DataError, match=r"t\.csv\.gz is truncated or damaged .*CRC"):
        list(read_rows(tmp_path / "t.csv.gz"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04rest", "is a zip archive or an Excel workbook: save the table as CSV"),
        (b"PAR1rest", r"is a Parquet file: name it \.parquet or pass --format parquet"),
    ],
)
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"t\.csv {sentence}"):
        list(read_rows(tmp_path / "t.csv"))


@pytest.mark.parametrize("encoding", ["klingon", "base64"])
def test_an_encoding_that_is_none(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(
        DataError, match=rf"t\.csv cannot be read as '{encoding}', .* pass another, such as --encoding utf-8"
    ):
        list(read_rows(tmp_path / "t.csv", encoding=encoding))


def test_an_encoding_that_cannot_go_on_after_a_fault(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TABLE.encode("utf-16") + b"x")
    with pytest.raises(DataError, match=r"t\.csv is not utf-16 after line \d \(truncated data\): pass its --encoding"):
        list(read_rows(tmp_path / "t.csv", encoding="utf-16"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("said", ["utf-8", "utf-16", "UTF_16LE", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_utf_16_and_utf_32_are_read_whatever_the_declared_encoding(
    tmp_path: Path, encoding: str, said: str, marked: bool
) -> None:
    """T19, R11: a mark is believed, and so are zeros where nothing is said of the order of the bytes."""
    mark = "\ufeff" if marked and encoding.endswith("e") else ""
    if not mark and said in ("UTF_16LE", "utf-32-be") and encoding not in ("utf-16", "utf-32"):
        return  # it is believed, wrong or not
    (tmp_path / "t.csv").write_bytes((mark + TABLE).encode(encoding))
    assert list(read_rows(tmp_path / "t.csv", encoding=said)) == ROWS
    (tmp_path / "t.jsonl").write_bytes((mark + '{"text": "naïve 👍"}\r\n').encode(encoding))
    assert list(read_rows(tmp_path / "t.jsonl", encoding=said)) == [Row(1, {"text": "naïve 👍"})]


def test_a_nul_in_a_header_does_not_suggest_utf_16(tmp_path: Path) -> None:
    """T19: most characters would have one."""
    (tmp_path / "t.csv").write_bytes(b"a\0,text\nx,y\n")
    with pytest.raises(DataError, match=r"t\.csv line 1 should be the header but has a NUL character: correct"):
        list(read_rows(tmp_path / "t.csv"))


def test_utf_16_without_its_byte_order_mark_is_an_error_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("文本,標籤\n".encode("utf-16-be"))
    with pytest.raises(DataError, match=r"t\.csv is not utf-16 after line 0 .*: pass its --encoding"):
        list(read_rows(tmp_path / "t.csv", encoding="utf-16"))


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet"])
@settings(max_examples=60)
@given(
    content=st.binary(max_size=60)
    | st.text('ab,\t"\r\n{}:[]1\0é', max_size=60).map(str.encode)
    | st.text('ab,"\n', max_size=60).map(lambda text: gzip.compress(text.encode()))
)
def test_any_bytes_are_rows_or_bad_rows_in_the_order_of_their_lines_or_a_data_error(
    format: str, content: bytes
) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            lines = [row.line for row in read_rows(file.name, format=format)]
        except DataError:
            return
    assert lines == sorted(set(lines))


def test_the_reader_reads_packed_arrays_from_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(tmp_path / "t.parquet", columns=["text"]) as rows:
        rows.write({"text": "x"})
    reader, writer = os.pipe()
    os.write(writer, (tmp_path / "t.parquet").read_bytes())
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))
        assert list(read_rows("-", format="parquet")) == [Row(1, {"text": "x"})]
        sys.stdin.detach()


def test_bytes_in_memory_are_read_as_a_file_is() -> None:
    """R11: one reader for files and the bodies of requests."""
    assert list(read_bytes(b"\xef\xbb\xbf" + TABLE.encode(), "The body", format="csv")) == ROWS
    assert list(read_bytes(b'\n{"text": "x"}\r{"text": 1}', "The body", format="jsonl")) == [
        Row(2, {"text": "x"}),
        Row(3, {"text": 1}),
    ]


@pytest.mark.parametrize(("given", "between"), [("tab", "\t"), ("\\t", "\t"), ("|", "|"), ("§", "§")])
def test_a_delimiter_can_be_given(tmp_path: Path, given: str, between: str) -> None:
    """T19: also for a table whose header has several that it could be."""
    (tmp_path / "t.csv").write_text(f"a,text{between}label\nx{between}y\n")
    assert list(read_rows(tmp_path / "t.csv", delimiter=given)) == [Row(2, {"a,text": "x", "label": "y"})]


@pytest.mark.parametrize("given", ["", ";;", '"', "\n"])
def test_a_delimiter_that_is_none(tmp_path: Path, given: str) -> None:
    """T19: it is said before the table is read."""
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(
        SettingsError, match=r"delimiter .* is not a delimiter: give the single character between two fields"
    ):
        read_rows(tmp_path / "t.csv", delimiter=given)


def test_a_table_without_a_header_has_all_its_rows(tmp_path: Path) -> None:
    """T19: the first text is no name."""
    (tmp_path / "t.tsv").write_text("fine\tpos\nbad\tneg\n")
    assert list(read_rows(tmp_path / "t.tsv", header=False)) == [
        Row(1, {"column_1": "fine", "column_2": "pos"}),
        Row(2, {"column_1": "bad", "column_2": "neg"}),
    ]


def test_a_missing_file_is_named_before_its_suffix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing does not exist: check the path"):
        file_format(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a directory: give a file in it"):
        file_format(tmp_path)
    assert (file_format("-"), file_format("-", "tsv")) == ("csv", "tsv")
