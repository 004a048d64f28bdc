"""CoNLL files to rows: sentences, columns, comments, and the line of every fault."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bertline.data.conll import read_conll
from bertline.data.rows import BadRow, Row


def read(text: str) -> list[Row | BadRow]:
    return [*read_conll(iter(text.splitlines(keepends=True)), "utf-8")]


def spans(row: Row | BadRow) -> list[tuple[str, object]]:
    assert isinstance(row, Row)
    text, entities = row.values["text"], row.values["entities"]
    assert isinstance(text, str)
    assert isinstance(entities, Iterable)
    return [(text[one["start"] : one["end"]], one["label"]) for one in entities]


def test_a_sentence_is_a_row_whose_text_is_its_words_joined_by_single_spaces() -> None:
    one, other = read("Empire\tB-facility\nState\tI-facility\n.\tO\n\nZoë\tB-person\n🎬\tO\n")
    assert isinstance(one, Row)
    assert isinstance(other, Row)
    assert (one.line, one.values["text"], other.line, other.values["text"]) == (1, "Empire State .", 5, "Zoë 🎬")
    assert spans(one) == [("Empire State", "facility")]
    assert spans(other) == [("Zoë", "person")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("blank", ["", " ", "\t"])
@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_endings_blank_lines_and_separators(end: str, blank: str, separator: str) -> None:
    lines = [f"York{separator}B-place", blank, blank, f"Ada{separator}B-person", f"Lovelace{separator}I-person"]
    rows = read("".join(line + end for line in lines))
    assert [spans(row) for row in rows] == [[("York", "place")], [("Ada Lovelace", "person")]]


def test_the_last_of_several_columns_has_the_tags_and_documents_begin_anew() -> None:
    text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n-DOCSTART- -X- -X- O\nBonn NNP B-NP I-LOC\n"
    assert [spans(row) for row in read(text)] == [[("EU", "ORG")], [("Bonn", "LOC")]]


def test_a_hash_is_a_comment_before_a_sentence_and_a_word_in_it() -> None:
    rows = read("# id = 1\n# another comment line\nsee O\n#york B-place\n\n# O\n#ada B-person\n")
    assert [spans(row) for row in rows] == [[("#york", "place")], [("#ada", "person")]]
    assert [row.line for row in rows] == [3, 6]


def test_a_word_with_spaces_where_tabs_separate() -> None:
    (row,) = read("New York\tB-place\n# an id with two\tO\n")
    assert spans(row) == [("New York", "place")]


def test_words_alone_have_no_entities() -> None:
    (row,) = read("only\nwords\n")
    assert isinstance(row, Row)
    assert dict(row.values) == {"text": "only words"}


def test_an_inside_tag_without_a_beginning_begins_an_entity() -> None:
    assert [spans(row) for row in read("a I-x\nb I-x\nc I-y\n")] == [[("a b", "x"), ("c", "y")]]


def test_faults_have_their_own_line_and_spoil_one_sentence() -> None:
    text = "a B-x\nb\n\nc B-x\n\nd B-x extra\n\n\udcff O\n\ne\0 O\n"
    bad, good, extra, bytes_, nul = read(text)
    assert bad == BadRow(2, "not the 2 columns of the first word", "it has 1, separated by spaces")
    assert spans(good) == [("c", "x")]
    assert extra == BadRow(6, "not the 2 columns of the first word", "it has 3, separated by spaces")
    assert bytes_ == BadRow(8, "undecodable bytes", "0xff at character 1 is not utf-8")
    assert nul == BadRow(10, "a NUL character")


def test_a_tag_without_a_word() -> None:
    assert read("a\tO\n\n \tO\nb\tO\n") == [Row(1, {"text": "a", "entities": []}), BadRow(3, "a tag without a word")]


def test_an_empty_file_has_no_rows() -> None:
    assert read("") == read("\n\n") == read("# nothing but a comment\n") == []
