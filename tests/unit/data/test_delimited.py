"""CSV and TSV: every fault is told with its line, and costs one row."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.data import delimited
from bertline.data.delimited import AFTER_QUOTE, NEVER_CLOSED, TOO_FEW, TOO_MANY, read_delimited, unnamed
from bertline.data.rows import NUL, UNDECODABLE, BadRow, Row
from bertline.errors import DataError


def read(text: str, delimiter: str = ",") -> list[Row | BadRow]:
    return list(read_delimited(iter(io.StringIO(text, newline="")), "t.csv", None, "utf-8", usual=delimiter))


def lines(text: str, delimiter: str = ",") -> list[tuple[int, object]]:
    """Line and first value of each row, or the reason why there is none."""
    rows = read(text, delimiter)
    return [(row.line, row.reason if isinstance(row, BadRow) else next(iter(row.values.values()))) for row in rows]


def test_rows_have_their_values_by_column() -> None:
    assert read("text,label\nfine,pos\n") == [Row(2, {"text": "fine", "label": "pos"})]


def test_a_quoted_field_holds_anything() -> None:
    [row] = read('text,label\n"He said ""no"", then\r\nleft\rus",neg\n')
    assert row == Row(2, {"text": 'He said "no", then\r\nleft\rus', "label": "neg"})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ending(end: str) -> None:
    assert lines(end.join(["text,label", "one,a", "two,b"])) == [(2, "one"), (3, "two")]


def test_a_row_is_at_the_line_where_it_starts() -> None:
    assert lines('text,label\n"one\ntwo\nthree",a\n\n\nfour,b\n"five\n",c\n') == [
        (2, "one\ntwo\nthree"),
        (7, "four"),
        (8, "five\n"),
    ]


def test_blank_lines_before_the_header_count_as_lines() -> None:
    assert lines("\n\ntext,label\none,a\n") == [(4, "one")]


def test_a_quote_inside_an_unquoted_field_is_text() -> None:
    assert lines('text,label\n5" screen,a\nthe "best",b\n') == [(2, '5" screen'), (3, 'the "best"')]


def test_spaces_around_column_names_are_dropped() -> None:
    assert read("text , label\nx,a\n") == [Row(2, {"text": "x", "label": "a"})]


def test_too_many_and_too_few_fields() -> None:
    assert read("text,label\nx,a,b\ny\nz,c\n") == [
        BadRow(2, TOO_MANY, "3 instead of 2"),
        BadRow(3, TOO_FEW, "1 instead of 2"),
        Row(4, {"text": "z", "label": "c"}),
    ]


def test_text_after_a_closing_quote() -> None:
    assert lines('text,label\n"x" y,a\nz,b\n') == [(2, AFTER_QUOTE), (3, "z")]


def test_text_after_the_closing_quote_of_a_row_of_several_lines_costs_that_row_alone() -> None:
    assert lines('text,label\n"x, and\nmore, too\nthe end" y,a\nz,b\n') == [(2, AFTER_QUOTE), (5, "z")]


def test_a_quote_that_the_file_never_closes_costs_one_row() -> None:
    assert lines('text,label\none,a\n"two,b\nthree,c\nfour,d\n') == [
        (2, "one"),
        (3, NEVER_CLOSED),
        (4, "three"),
        (5, "four"),
    ]


@pytest.mark.parametrize(
    "unclosed",
    ['"two,b\nthree,c\n"four",d\n', 'two,"b\nthree,c\n"four","d"\n', '"two,b\nthree,c\nfour,"d"\n'],
)
def test_a_quote_that_a_later_field_seems_to_close_costs_one_row(unclosed: str) -> None:
    assert lines(f"text,label\none,a\n{unclosed}") == [(2, "one"), (3, NEVER_CLOSED), (4, "three"), (5, "four")]


def test_an_unclosed_quote_in_an_endless_table_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "LONGEST_ROW_CHARACTERS", 1_000)
    endless = itertools.chain(["text,label\n", '"one,a\n'], (f"row {i},b\n" for i in itertools.count()))
    rows = read_delimited(endless, "t.csv", ",", "utf-8")
    assert next(rows) == BadRow(2, NEVER_CLOSED)
    assert next(rows) == Row(3, {"text": "row 0", "label": "b"})


def test_a_row_that_was_given_up_says_nothing_about_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "LONGEST_ROW_CHARACTERS", 20)
    assert lines('text,label\n"never closed,a\ntwo,b\nthree,c\n"four" x,d\n') == [
        (2, NEVER_CLOSED),
        (3, "two"),
        (4, "three"),
        (5, AFTER_QUOTE),
    ]


def test_fields_of_a_million_characters() -> None:
    long = "x" * 3_000_000
    assert lines(f'text,label\n{long},a\n"{long}\n{long}",b\n') == [(2, long), (3, f"{long}\n{long}")]


def test_undecodable_bytes_and_nul_are_reported_with_their_line() -> None:
    assert read('text,label\ncaf\udce9,a\n"one\ntwo\0",b\n"one\n\udcff",c\nfine,d\n') == [
        BadRow(2, UNDECODABLE, "0xe9 at character 4 is not utf-8"),
        BadRow(3, NUL, "in line 4"),
        BadRow(5, UNDECODABLE, "0xff at character 1 is not utf-8, in line 6"),
        Row(7, {"text": "fine", "label": "d"}),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_header_with_another_delimiter_and_no_comma_is_believed(delimiter: str) -> None:
    assert read(f"text{delimiter}label\nwell, fine{delimiter}a\n") == [Row(2, {"text": "well, fine", "label": "a"})]


def test_a_tsv_has_commas_in_its_fields() -> None:
    assert read("text\tlabel\na, b\tc\n", "\t") == [Row(2, {"text": "a, b", "label": "c"})]


def test_an_empty_value_in_a_table_of_one_column() -> None:
    assert read('text\n""\nx\n') == [Row(2, {"text": ""}), Row(3, {"text": "x"})]


@pytest.mark.parametrize("text", ["", "\n\n", "  \n"])
def test_an_empty_table_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"t\.csv is empty: it needs a header line with column names, and rows"):
        read(text)


def test_a_header_alone_has_no_rows() -> None:
    assert read("text,label\n") == []


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.csv line 2 has two columns named 'text': rename one of them"):
        read("\ntext,label,text\nx,y,z\n")


def test_columns_without_a_name_are_called_by_their_place() -> None:
    """T11: a spreadsheet exports what stands under an empty heading, too."""
    assert read("text,,\nx,y,z\n") == [Row(2, {"text": "x", "column_2": "y", "column_3": "z"})]
    assert read(",,text\nx,y,z\n") == [Row(2, {"column_1": "x", "column_2": "y", "text": "z"})]
    assert read("column_3, ,\t\nx,y,z\n") == [Row(2, {"column_3": "x", "column_2": "y", "column_3_2": "z"})]


def test_names_that_only_look_alike_are_separate_columns() -> None:
    """T11: case and characters that cannot be seen tell columns apart, so that none is lost."""
    assert read("text,Text,text\u200b\nx,y,z\n") == [Row(2, {"text": "x", "Text": "y", "text\u200b": "z"})]


def test_names_that_differ_by_spaces_around_them_are_one_name_and_refused() -> None:
    """T11: spaces around a name do not count, so two columns would become one."""
    with pytest.raises(DataError, match=r"t\.csv line 1 has two columns named 'text': rename one of them"):
        read("text, text\nx,y\n")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("text,label\nx,a,,\n", {"text": "x", "label": "a"}),
        ("text,label,\nx,a,\n", {"text": "x", "label": "a", "column_3": ""}),
        ("text,label,\nx,a\n", {"text": "x", "label": "a", "column_3": ""}),
        ("text,label,,\nx,a,,b\n", {"text": "x", "label": "a", "column_3": "", "column_4": "b"}),
    ],
)
def test_delimiters_at_the_end_of_a_line_lose_nothing(table: str, row: dict[str, str]) -> None:
    """T19: spreadsheets write them for columns that are empty."""
    assert read(table) == [Row(2, row)]


def test_a_field_beyond_the_header_is_never_dropped() -> None:
    """T11: it has no column, so the row is bad and named."""
    assert read("text,label\nx,a,,b\n") == [BadRow(2, TOO_MANY, "4 instead of 2")]


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_first_line_of_excel_names_the_delimiter(line: str, end: str) -> None:
    """T19: Excel reads and writes it, and it is neither a header nor a row; lines count from the first."""
    text = end.join([line, "text;note, or not;label", "one, two;;a", ""])
    assert read(text) == [Row(3, {"text": "one, two", "note, or not": "", "label": "a"})]


def test_only_the_first_line_names_a_delimiter() -> None:
    """T19: further down it is a text."""
    assert read("text\nsep=;\n") == [Row(2, {"text": "sep=;"})]


def test_a_header_that_has_the_comma_only_in_quotes_is_believed() -> None:
    """T19: where the comma is the decimal sign, names may have one."""
    assert read('"text, or title";label\n1,5;a\n') == [Row(2, {"text, or title": "1,5", "label": "a"})]


def test_a_given_delimiter_is_taken_whatever_the_header_has() -> None:
    """T19: also one that no header is searched for."""
    rows = read_delimited(iter(["a,b;text^label\n", "x^y\n"]), "t.csv", "^", "utf-8")
    assert list(rows) == [Row(2, {"a,b;text": "x", "label": "y"})]


def test_without_a_header_no_row_is_lost_and_no_delimiter_guessed() -> None:
    """T19: the first text of a list of texts is a text, and its semicolon is one, too."""
    table = "\nA fine film; really.\nbad\n"
    assert list(read_delimited(iter(table.splitlines(True)), "t.csv", None, "utf-8", unnamed)) == [
        Row(2, {"column_1": "A fine film; really."}),
        Row(3, {"column_1": "bad"}),
    ]
    assert list(read_delimited(iter(["x,a\n", "y,b,c\n"]), "t.csv", None, "utf-8", unnamed)) == [
        Row(1, {"column_1": "x", "column_2": "a"}),
        BadRow(2, TOO_MANY, "3 instead of 2"),
    ]


def test_without_a_header_a_faulty_first_row_is_a_bad_row() -> None:
    """T19: it costs itself alone, as everywhere."""
    rows = list(read_delimited(iter(['"x" y\n', "z\n"]), "t.csv", None, "utf-8", unnamed))
    assert rows == [BadRow(1, AFTER_QUOTE), Row(2, {"column_1": "z"})]


def test_a_faulty_header_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.csv line 1 should be the header but has text after a closing quote"):
        read('"text"s,label\nx,y\n')


# No quote inside an unquoted field: after a missing closing quote it cannot be told from one that closes.
SOUND_ROWS = st.lists(st.sampled_from(["one,a\n", '"two, b",b\n', '"three\nlines\n",c\n', "\n"]), max_size=5)


@settings(max_examples=60)
@given(
    before=SOUND_ROWS,
    fault=st.sampled_from(
        ['"x" y,a\n', '"x\ny" z,a\n', '"never,a\n', 'x,"never\n', "a,b,c\n", "a\n", "\udcff,a\n", "\0,a\n"]
    ),
    after=SOUND_ROWS,
)
def test_a_faulty_row_costs_itself_alone(before: list[str], fault: str, after: list[str]) -> None:
    sound = lines("".join(["text,label\n", *before, *after]))
    faulty = lines("".join(["text,label\n", *before, fault, *after]))
    reasons = {NEVER_CLOSED, AFTER_QUOTE, TOO_MANY, TOO_FEW, UNDECODABLE, NUL}
    here = 2 + "".join(before).count("\n")
    assert [line for line, value in faulty if value in reasons] == [here]
    grown = fault.count("\n")
    assert [one for one in faulty if one[0] != here] == [(n + grown if n >= here else n, value) for n, value in sound]
