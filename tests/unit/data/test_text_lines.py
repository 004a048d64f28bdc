"""Files with one text per line, as tables with one column."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bertline.data.rows import BadRow, Row
from bertline.data.settings import TableSettings
from bertline.data.text_lines import check_lines, open_text_lines
from bertline.errors import DataError, UsageError

PLAIN = TableSettings()


def test_lines_keep_their_numbers_and_spaces_and_empty_ones_at_the_end_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "in.txt.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf a film \r\n\n  \nso, "it" is\xe2\x80\xa8on\nbad \xff\n\n\n'))
    head, rows = open_text_lines(str(path), PLAIN)
    assert head.columns == ("text",)
    assert [*rows] == [
        Row(1, {"text": " a film "}),
        BadRow(2, "an empty line"),
        BadRow(3, "an empty line"),
        Row(4, {"text": 'so, "it" is\u2028on'}),
        BadRow(5, "undecodable bytes", "0xff at character 5 is not utf-8"),
    ]


def test_lines_of_old_computers_end_too(tmp_path: Path) -> None:
    """As for every other command that takes text files."""
    (tmp_path / "in.txt").write_bytes(b"a film\rit is\r\r")
    assert [*open_text_lines(str(tmp_path / "in.txt"), PLAIN)[1]] == [
        Row(1, {"text": "a film"}),
        Row(2, {"text": "it is"}),
    ]


def test_the_encoding_is_the_given_one(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("ein schöner Film", encoding="latin-1")
    _, rows = open_text_lines(str(tmp_path / "in.txt"), TableSettings(encoding="latin-1"))
    assert [*rows] == [Row(1, {"text": "ein schöner Film"})]


def test_a_file_without_lines_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("\n\n", encoding="utf-8")
    head, _ = open_text_lines(str(tmp_path / "in.txt"), PLAIN)
    with pytest.raises(DataError, match=r"in\.txt has no rows: give texts$"):
        head.require_rows("texts", skip=False)
    with pytest.raises(DataError, match=r"gone\.txt does not exist: check the path"):
        open_text_lines("gone.txt", PLAIN)


@pytest.mark.parametrize("flag", ["text_column", "text_pair_column", "query_column", "delimiter", "no_header"])
def test_columns_of_lines_are_refused(flag: str) -> None:
    settings = TableSettings(**{flag: True if flag == "no_header" else "x"})
    named = (
        f"--{flag.replace('_', '-')} is for tables, and in.txt has one text per line: leave it out, or pass --format"
    )
    with pytest.raises(UsageError, match=named):
        check_lines("in.txt", settings)
    assert not check_lines("in.csv", settings)
    assert not check_lines("in.txt", settings.model_copy(update={"format": "csv"}))
