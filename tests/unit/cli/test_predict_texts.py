from __future__ import annotations

import io
from typing import Any, cast

import pytest

from bertline.cli.predict_texts import good_lines
from bertline.data.rows import BadRows
from bertline.errors import DataError
from bertline.testing.tiny import tiny_tokenizer


def lines(content: bytes, encoding: str = "utf-8", *, skip: bool = False) -> tuple[list[str], BadRows]:
    bad, stream = BadRows("standard input"), io.BufferedReader(cast(Any, io.BytesIO(content)))
    return list(good_lines(stream, encoding, bad, tiny_tokenizer().reads, skip=skip)), bad


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"one\n\n \n\n", ["one"]),
        (b"\xef\xbb\xbfone\n", ["one"]),
        ("Käse 東京\n".encode(), ["Käse 東京"]),
        (b"a\x85b\x0cc\rd\n", None),
        ("a\u2028b\n".encode(), ["a\u2028b"]),
    ],
)
def test_a_line_is_a_text(content: bytes, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(DataError, match="line 1: undecodable bytes"):
            lines(content)
    else:
        assert lines(content)[0] == expected


def test_other_encodings_are_read() -> None:
    assert lines("Käse\n".encode("latin-1"), "latin-1")[0] == ["Käse"]
    assert lines("Käse\nBrot\n".encode("utf-16"), "utf-16")[0] == ["Käse", "Brot"]


def test_an_empty_line_between_texts_is_named() -> None:
    with pytest.raises(
        DataError, match=r"standard input has 1 bad row \(line 2: an empty line\); fix it or pass --skip"
    ):
        lines(b"one\n\nthree\n")


def test_bad_lines_can_be_left_out_and_are_counted() -> None:
    found, bad = lines(b"one\n\nthree\n\xff\nfive\n\0\n\n", skip=True)
    assert found == ["one", "three", "five"]
    assert bad.counts == {"an empty line": 1, "undecodable bytes": 1, "a NUL character": 1}


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(
        DataError,
        match="standard input cannot be read as 'klingon', which is not a text encoding: pass another, such as --enc",
    ):
        lines(b"one\n", "klingon")


def test_bytes_that_cannot_go_on_are_a_data_error() -> None:
    with pytest.raises(DataError, match=r"standard input is not utf-16 after line 0 \(.*\): pass its --encoding, or"):
        lines(b"one\n1", "utf-16")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("\u200b", "has only characters that the model does not read (U+200B)"),
        (" \x01\x02 ", "has only characters that the model does not read (U+0001, U+0002)"),
        ("\u00ad\u2060", "has only characters that the model does not read (U+00AD, U+2060)"),
    ],
)
def test_a_line_without_a_token_is_bad_as_an_empty_one_is(line: str, why: str) -> None:
    """R9: the tokenizer decides, as in the service."""
    with pytest.raises(DataError) as caught:
        lines(f"one\n{line}\ntwo\n".encode())
    assert f"line 2: a line of which the model reads nothing ({why})" in str(caught.value)
    found, bad = lines(f"one\n{line}\ntwo\n".encode(), skip=True)
    assert (found, bad.counts) == (["one", "two"], {"a line of which the model reads nothing": 1})
