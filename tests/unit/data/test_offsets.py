"""The offsets of lines are those of their bytes, in every encoding in which lines can be found."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.offsets import Offsets, has_single_bytes
from bertline.data.table import read_rows


def opened(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(cast(Any, io.BytesIO(content)))


def starts(content: bytes, format: str, encoding: str = "utf-8") -> list[int]:
    offsets = Offsets()
    rows = read_rows(opened(content), format=format, encoding=encoding, name="t", offsets=offsets)
    found = [offsets.of(row.line) for row in rows]
    assert offsets.end == len(content)
    return found


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_rows_begin_where_their_first_lines_do(mark: bytes) -> None:
    lines = [b"text\n", b"plain\r\n", "é – 日本\n".encode(), b'"two\r\nlines"\n', b"bad \xff bytes\n", b"last"]
    content = mark + b"".join(lines)
    expected = [len(mark) + sum(map(len, lines[:number])) for number in range(1, len(lines))]
    assert starts(content, "csv") == expected


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).filter(str.strip)))
def test_any_text_is_found_again(texts: list[str]) -> None:
    lines = [f"{text}\n".encode() for text in texts]
    offsets, found = Offsets(), []
    for number, _ in enumerate(offsets.watched(iter(line.decode() for line in lines), "utf-8", False), 1):
        found.append(offsets.of(number))
    assert found == [sum(map(len, lines[:number])) for number in range(len(lines))]


def test_single_bytes_are_counted_one_by_one() -> None:
    content = "text\né\nÿ–\n".encode("cp1252")
    assert starts(content, "csv", "cp1252") == [5, 7]


@pytest.mark.parametrize(
    ("codec", "single"), [("cp1252", True), ("koi8-r", True), ("utf-16", False), ("shift_jis", False)]
)
def test_encodings_of_several_bytes_are_known(codec: str, single: bool) -> None:
    assert has_single_bytes(codec) is single


def test_utf_16_has_no_offsets() -> None:
    offsets = Offsets()
    list(read_rows(opened("text\na\nb\n".encode("utf-16")), format="csv", name="t", offsets=offsets))
    assert not offsets.known
