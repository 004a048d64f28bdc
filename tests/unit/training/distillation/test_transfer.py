from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bertline.errors import DataError, UsageError
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.transfer import fingerprint, read_transfer

HELD_OUT = ["it is a long text about a film of which we saw the first half and its end", "short one"]


def settings(*unlabelled: Path, **changes: Any) -> DistillSettings:
    return DistillSettings(unlabelled=tuple(map(str, unlabelled)), **changes)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("review,label\na film,good\na bore,bad\na film,bad\n")
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "more.txt"
    path.write_text("\ufeffone line\n\n  a bore  \nlast, no end", encoding="utf-8")
    return path


def test_texts_come_from_tables_and_plain_files_each_once(table: Path, lines: Path) -> None:
    transfer = read_transfer(str(table), settings(lines), [])
    assert transfer.inputs == ("a film", "a bore", "one line", "last, no end")
    assert transfer.lines == (2, 3, 1, 4)
    assert transfer.facts == (
        ("Transfer texts", f"4 of {table} and {lines}; 2 repeated"),
        ("Held-out rows among them", "none"),
    )


def test_held_out_rows_are_left_out_also_when_a_copy_was_changed(tmp_path: Path) -> None:
    copies = [
        "It is a LONG text about a film of which we saw the first half, and its end!",
        f"{HELD_OUT[0]} too",
        "SHORT one",
    ]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join([*copies, "another text about a song"]))
    transfer = read_transfer(None, settings(path), HELD_OUT)
    assert transfer.inputs == ("another text about a song",)
    assert dict(transfer.facts)["Held-out rows among them"] == "2 exact and 1 near left out"


def test_without_any_file_it_says_how_to_give_one() -> None:
    with pytest.raises(UsageError, match=r"no texts to distill with: give a table as DATA, or --unlabelled FILE"):
        read_transfer(None, settings(), [])


def test_a_table_of_only_held_out_rows_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(HELD_OUT))
    with pytest.raises(DataError, match=r"texts\.txt leaves no text that is not among the held-out rows"):
        read_transfer(None, settings(path), HELD_OUT)


def test_bad_rows_are_named_or_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\na film\n   \n")
    with pytest.raises(DataError, match=r"rows\.csv has 1 bad row \(line 3: empty text in column 'text'\)"):
        read_transfer(str(path), settings(), [])
    kept = read_transfer(str(path), settings(skip_bad_rows=True), [])
    assert kept.inputs == ("a film",)
    assert dict(kept.facts)["Transfer texts"] == f"1 of {path}; 1 bad rows left out"


def test_undecodable_bytes_are_reported_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"texts\.txt has 1 bad row \(line 2: undecodable bytes"):
        read_transfer(None, settings(path), [])
    assert read_transfer(None, settings(path, encoding="latin-1"), []).inputs == ("fine", "café")


def test_a_file_that_is_not_there_and_a_column_that_is_not_are_named(tmp_path: Path, table: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt does not exist: check the path"):
        read_transfer(None, settings(tmp_path / "none.txt"), [])
    with pytest.raises(DataError, match=r"has no column 'body': correct --text-column or rename the column"):
        read_transfer(str(table), settings(text_column="body"), [])


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\n")
    with pytest.raises(DataError, match=r"rows\.csv has a header line but no rows: give rows with a text"):
        read_transfer(str(path), settings(), [])


def test_the_fingerprint_is_of_the_texts_in_their_order() -> None:
    assert fingerprint(["a", "b"]) == fingerprint(("a", "b"))
    assert len({fingerprint(some) for some in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])}) == 4


def test_pairs_come_from_tables_with_two_columns_of_text(tmp_path: Path, table: Path, lines: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("text,text_b\na film,a bore\na film,a song\na film,a bore\nshort one,or not\n")
    transfer = read_transfer(str(path), settings(), [("Short one", "or not")], reads="pair")
    assert transfer.inputs == (("a film", "a bore"), ("a film", "a song"))
    assert transfer.lines == (2, 3)
    assert dict(transfer.facts)["Held-out rows among them"] == "1 exact and 0 near left out"
    with pytest.raises(
        UsageError, match=r"more\.txt has one text on each line, but the model reads pairs of texts: give"
    ):
        read_transfer(str(path), settings(lines), [], reads="pair")
    with pytest.raises(DataError, match=r"rows\.csv has no column with a usual name for the text-pair: name it with"):
        read_transfer(str(table), settings(), [], reads="pair")
    named = settings(text_pair_column="text_b")
    assert read_transfer(str(path), named, [], reads="pair").inputs[1] == ("a film", "a song")
    with pytest.raises(UsageError, match=r"--text-pair-column text_b: the model reads single texts; leave it out"):
        read_transfer(str(path), named, [])
    (tmp_path / "bad.csv").write_text("text,text_b\na film,a bore\na film,\n")
    with pytest.raises(DataError, match=r"bad\.csv has 1 bad row \(line 3: empty text in column 'text_b'\)"):
        read_transfer(str(tmp_path / "bad.csv"), settings(), [], reads="pair")
