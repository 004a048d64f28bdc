from __future__ import annotations

import io

import pytest

from bertline.cli.predict_texts import good_lines, json_line, screen_lines, tab_line
from bertline.data.rows import BadRows
from bertline.errors import DataError, UsageError
from bertline.inference import Prediction
from bertline.testing.tiny import tiny_tokenizer

PREDICTION = Prediction("good", {"bad": 0.25, "good": 0.75}, read_tokens=8, cut_tokens=0)
LONG = Prediction("good", {"bad": 0.25, "good": 0.75}, read_tokens=256, cut_tokens=1234)


def lines(content: bytes, encoding: str = "utf-8", *, skip: bool = False) -> tuple[list[str], BadRows]:
    bad = BadRows("standard input")
    return list(good_lines(io.BytesIO(content), encoding, bad, tiny_tokenizer().reads, skip=skip)), bad


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


def test_an_unknown_encoding_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--encoding klingon is no encoding: give one such as utf-8 or latin-1"):
        lines(b"one\n", "klingon")


def test_bytes_that_cannot_go_on_are_a_data_error() -> None:
    with pytest.raises(DataError, match=r"standard input is not utf-16 \(.*\): pass its --encoding"):
        lines(b"one\n1", "utf-16")


def test_a_json_line_is_what_the_service_answers() -> None:
    assert json_line("schön", LONG, 1) == (
        '{"text": "schön", "label": "good", "probabilities": [{"label": "good", "probability": 0.75}], '
        '"read_tokens": 256, "cut_tokens": 1234}'
    )


def test_a_tab_line_has_no_tabs_of_its_own() -> None:
    assert tab_line("a\tb\r\nc", PREDICTION, 2) == "good\t0.750000\tbad\t0.250000\ta b  c"


def test_a_screen_line_fits_and_cannot_command_the_terminal() -> None:
    text = "\x1b[2Jclear " + "x" * 100
    assert screen_lines(text, PREDICTION, 1, 5, 40) == "good    75.0 %   [2Jclear xxxxxxxxxxxxx…"
    assert screen_lines("short", PREDICTION, 1, 5, 40) == "good    75.0 %  short"


def test_wide_characters_are_counted_by_their_cells() -> None:
    assert screen_lines("東京" * 20, PREDICTION, 1, 4, 40) == "good   75.0 %  " + "東京" * 6 + "…"


def test_the_cut_and_the_other_ranks_are_shown() -> None:
    assert screen_lines("text", LONG, 2, 4, 0) == "good   75.0 %  (1,234 tokens cut)\nbad    25.0 %"


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
