"""JSON: nothing in it is changed or lost, and what is no JSON is named with its line and column."""

from __future__ import annotations

import json
import random

import pytest

from bertline.data.json_text import DEEPEST, JsonFault, LoneSurrogate, decoded, parse

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ['{"ä": "👍"}', "1", '"a"', "[]", "\n\t [1, 2]"])
def test_every_unicode_encoding_is_recognised_by_its_bytes(text: str, encoding: str) -> None:
    """R13: RFC 8259 knows JSON that begins with an ASCII character, so the zeros tell."""
    assert decoded(text.encode(encoding)) == text


def _nested(depth: int, rng: random.Random) -> str:
    inner = json.dumps(rng.choice(['[{"', "]]]", 'a"\\[', "{" * 200]))
    for _ in range(depth):
        inner = rng.choice(['["{{", %s, "]"]', '{"[\\"[": [], "b": %s}', "[[], %s]"]) % inner
    return inner


@pytest.mark.parametrize("seed", range(20))
def test_depth_counts_open_brackets_outside_strings(seed: int) -> None:
    rng = random.Random(seed)
    assert parse(_nested(DEEPEST - 1, rng)) is not None
    with pytest.raises(JsonFault, match="nested more than 100 deep"):
        parse(_nested(DEEPEST + 1, rng))


def test_many_lists_side_by_side_are_not_deep() -> None:
    assert len(parse("[" + ",".join(["[{}]"] * 10_000) + "]")) == 10_000


@pytest.mark.parametrize("hostile", ['"' + '\\"' * 100_000, "[" * 200 + '"' * 99_999, '[{"\\' * 50_000])
def test_a_hostile_text_costs_no_more_than_its_length(hostile: str) -> None:
    with pytest.raises(JsonFault):
        parse(hostile)


@pytest.mark.parametrize(
    ("text", "what", "line", "column"),
    [
        ('{"a": 1,\n "b" 2}', "expecting ':' delimiter", 2, 6),
        ("[1, 2", "expecting ',' delimiter", 1, 6),
        ('{"a": "b\nc"}', "invalid control character", 1, 9),
        ("{} {}", "extra data", 1, 4),
        ("[NaN]", "NaN is not a JSON number", None, None),
        ('[{"a": 1, "a": 1}]', "the name 'a' occurs twice in one object", None, None),
        ("  ", "it is empty", None, None),
    ],
)
def test_a_fault_has_a_place_where_there_is_one(text: str, what: str, line: int | None, column: int | None) -> None:
    with pytest.raises(JsonFault) as caught:
        parse(text)
    assert (caught.value.what, caught.value.line, caught.value.column) == (what, line, column)


@pytest.mark.parametrize(
    ("text", "path", "character"),
    [
        ('"\\ud800"', (), 0),
        ('{"a": ["x", {"b": "ab\\uDFFF"}]}', ("a", 1, "b"), 2),
        ('{"a": {"\\udabc": 1}}', ("a",), None),
        ('["\\ude00\\ud83d"]', (0,), 0),
    ],
)
def test_half_a_pair_has_a_path(text: str, path: tuple[str | int, ...], character: int | None) -> None:
    with pytest.raises(LoneSurrogate) as caught:
        parse(text)
    assert (caught.value.path, caught.value.character) == (path, character)


def test_whole_pairs_are_characters() -> None:
    assert parse('["\\ud83d\\udc4d", "\\\\ud83d", "ä"]') == ["👍", "\\ud83d", "ä"]
