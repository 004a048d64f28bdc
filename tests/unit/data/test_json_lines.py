"""JSON lines: every fault is told with its line, and costs one row."""

from __future__ import annotations

import pytest

from bertline.data.json_lines import LONE_SURROGATE, NOT_JSON, NOT_OBJECT, read_json_lines
from bertline.data.json_values import JsonObject, Real
from bertline.data.rows import NUL, UNDECODABLE, BadRow, Row, UnreadableValue
from bertline.errors import DataError


def read(*lines: str) -> list[Row | BadRow]:
    return list(read_json_lines(iter(f"{line}\n" for line in lines), "t.jsonl", "utf-8"))


def test_values_keep_their_types_and_blank_lines_are_skipped() -> None:
    assert read('{"text": "x", "label": true}', "", "  ", '{"n": 1, "f": 1.5, "z": null}') == [
        Row(1, {"text": "x", "label": True}),
        Row(4, {"n": 1, "f": 1.5, "z": None}),
    ]


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ('{"text": "x",}', NOT_JSON, "illegal trailing comma before end of object at character 13"),
        ("text,label", NOT_JSON, "expecting value at character 1"),
        ('{"text": "x"} {"text": "y"}', NOT_JSON, "extra data at character 15"),
        ('{"text": "x', NOT_JSON, "unterminated string starting at character 10"),
        ('["x"]', NOT_OBJECT, "it is a list"),
        ("3", NOT_OBJECT, "it is a number"),
        ("null", NOT_OBJECT, "it is null"),
        ('{"te\\udc00xt": "x"}', LONE_SURROGATE, "in a key"),
        ('{"text": "x", "text": "y"}', NOT_JSON, "the name 'text' occurs twice in one object"),
        ('{"text": "caf\udce9"}', UNDECODABLE, "0xe9 at character 14 is not utf-8"),
        ('{"text": "x\0"}', NUL, ""),
    ],
)
def test_a_faulty_line_costs_that_row(line: str, reason: str, detail: str) -> None:
    first, bad, last = read('{"text": "a"}', line, '{"text": "b"}')
    assert [first, last] == [Row(1, {"text": "a"}), Row(3, {"text": "b"})]
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (2, reason)
    if "comma" not in detail:  # its wording differs between versions of Python
        assert bad.detail == detail


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert read('{"text": "\\ud83d\\udc4d"}') == [Row(1, {"text": "👍"})]


def test_not_a_number_is_a_missing_value_as_pandas_writes_it() -> None:
    [row] = read('{"text": "x", "n": NaN, "m": -Infinity}')
    assert isinstance(row, Row)
    assert repr(row.values) == "{'text': 'x', 'n': nan, 'm': -inf}"


@pytest.mark.parametrize(
    ("line", "column", "detail"),
    [
        ('{"text": "\\ud83d"}', "text", f"{LONE_SURROGATE}, in 'text' at character 1"),
        ('{"n": [{"a\\udc00": 1}]}', "n", f"{LONE_SURROGATE}, in a key of 'n.0'"),
        ('{"n": {"a": ["\\udc00"]}}', "n", f"{LONE_SURROGATE}, in 'n.a.0' at character 1"),
    ],
)
def test_half_of_a_surrogate_pair_costs_only_its_value(line: str, column: str, detail: str) -> None:
    """T10: a column that nobody reads makes no row bad."""
    assert read(line) == [Row(1, {column: UnreadableValue(detail)})]


@pytest.mark.parametrize("digits", ["1e400", "1.10", "-0", "-0.0", "9" * 10_000, "12345678901234567890.5", "1E5"])
def test_numbers_keep_their_digits(digits: str) -> None:
    """T9: what a double cannot hold is in the row as it is written."""
    [row] = read(f'{{"n": {digits}}}')
    assert isinstance(row, Row)
    assert isinstance(number := row.values["n"], Real)
    assert number.text == digits


def test_a_row_has_the_text_of_its_line() -> None:
    [row] = read('{"n" :1.10,  "a":"\\u0041"}  ')
    assert isinstance(row, Row)
    assert isinstance(row.values, JsonObject)
    assert row.values.text == '{"n" :1.10,  "a":"\\u0041"}'


@pytest.mark.parametrize("line", ["[" * 100_000, '{"n": ' + "[" * 101 + "]" * 101 + "}"])
def test_a_line_that_the_parser_gives_up_on_is_bad(line: str) -> None:
    [_, bad] = read("{}", line)
    assert isinstance(bad, BadRow)
    assert bad.reason == NOT_JSON


def test_an_array_over_several_lines_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.jsonl is a JSON array: write one JSON object per line instead"):
        read("[", '{"text": "x"},', '{"text": "y"}]')
