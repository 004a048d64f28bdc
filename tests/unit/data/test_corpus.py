"""Texts of several files, one after the other."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bertline.data.corpus import Corpus
from bertline.data.settings import TableSettings
from bertline.errors import DataError


def corpus(*paths: Path, **settings: object) -> Corpus:
    return Corpus([str(path) for path in paths], TableSettings.model_validate(settings))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("review,reply\na film,thanks\na bore,oh\n")
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "more.txt.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfone line\r\n\n  spaced  \nlast"))
    return path


def test_tables_and_lines_are_read_in_order_each_time(table: Path, lines: Path) -> None:
    texts = corpus(table, lines)
    assert list(texts) == ["a film", "a bore", "one line", "spaced", "last"]
    assert list(texts) == ["a film", "a bore", "one line", "spaced", "last"]
    assert (texts.read, texts.skipped) == (5, 0)


def test_both_texts_of_a_pair_are_texts(table: Path) -> None:
    assert list(corpus(table, text_pair_column="reply")) == ["a film", "thanks", "a bore", "oh"]


def test_a_bad_row_stops_or_is_counted(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\na film\n   \n")
    with pytest.raises(DataError, match=r"rows\.csv has 1 bad row \(line 3: empty text in column 'text'\)"):
        list(corpus(path, lines))
    texts = corpus(path, lines, skip_bad_rows=True)
    assert list(texts) == ["a film", "one line", "spaced", "last"]
    assert texts.skipped == 1


def test_undecodable_bytes_are_reported_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"texts\.txt has 1 bad row \(line 2: "):
        list(corpus(path))


def test_unreadable_input_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    for path, message in {
        tmp_path / "no.txt": r"no\.txt does not exist: check the path",
        tmp_path / "no.csv": r"no\.csv does not exist: check the path",
        tmp_path / "no": r"no does not exist: check the path",
        tmp_path: "is a directory: give a file in it",
        tmp_path / "empty.txt": r"empty\.txt has no texts: give rows with a text",
    }.items():
        with pytest.raises(DataError, match=message):
            list(corpus(path))


def test_an_empty_file_among_others_is_named(tmp_path: Path, lines: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=r"empty\.txt has no texts: give rows with a text"):
        list(corpus(lines, tmp_path / "empty.txt"))
