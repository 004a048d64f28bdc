"""Ranges of a table have the rows, the bad ones and the lines that the whole has."""

from __future__ import annotations

import hashlib
import io
import itertools
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.data.ranges import Preamble, Range, range_rows
from bertline.data.rows import Row
from bertline.data.table import read_rows
from bertline.errors import DataError

CSV = b'sep=;\ntext;n\n"one\ntwo";1\nthree;2\n\n"bad"x;3\nfour;4;5\nfive;5\n'


def opened(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(cast(Any, io.BytesIO(content)))


def part_of(content: bytes, start: int, end: int) -> Range:
    return Range(content[:start].count(b"\n") + 1, start, end, hashlib.sha256(content[start:end]).hexdigest())


def read(content: bytes, part: Range, preamble: Preamble, **how: Any) -> list[Any]:
    given = {"format": "csv", "encoding": "utf-8", "delimiter": None, "header": True, **how}
    return [*range_rows(opened(content), "t.csv", part, preamble, **given)]


def test_the_ranges_of_a_table_are_the_table() -> None:
    whole = [*read_rows(opened(CSV), format="csv", name="t.csv")]
    edges = [0, CSV.index(b"three"), CSV.index(b"four"), len(CSV)]
    preamble = Preamble(CSV.index(b'"one'), 2)
    parts = [part_of(CSV, start, end) for start, end in itertools.pairwise(edges)]
    rows = [row for part in parts for row in read(CSV, part, preamble)]
    assert rows == whole
    assert [type(row).__name__ for row in rows] == ["Row", "Row", "BadRow", "BadRow", "Row"]
    assert [row.line for row in rows] == [3, 5, 7, 8, 9]


def test_without_a_header_row_1_says_the_columns() -> None:
    content = b"a,1\nb,2\nc,3,\n"
    part = part_of(content, 8, len(content))
    [row] = read(content, part, Preamble(4, 1, 1), header=False)
    assert row == Row(3, {"column_1": "c", "column_2": "3"})


def test_other_bytes_are_refused() -> None:
    part = part_of(CSV, CSV.index(b"three"), len(CSV))
    with pytest.raises(DataError, match=r"^t.csv has changed since its shards were cut: put the old one back, or"):
        read(CSV.replace(b"five", b"six "), part, Preamble(CSV.index(b'"one'), 2))


@pytest.mark.parametrize(("first", "last"), [(0, 10), (3, 4), (4, 9), (8, 2**62), (10, 10)])
def test_parquet_is_read_by_row_groups(tmp_path: Path, first: int, last: int) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": range(10)}), path, row_group_size=4)
    with path.open("rb") as stream:
        rows = range_rows(
            stream, "t", Range(first + 1, first, last), Preamble(), format="parquet", encoding="utf-8", delimiter=None,
            header=True,
        )  # fmt: skip
        assert [(row.line, row.values["n"]) for row in rows if isinstance(row, Row)] == [
            (number + 1, number) for number in range(first, min(last, 10))
        ]
