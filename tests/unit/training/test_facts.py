"""Facts about a table as it was read."""

from __future__ import annotations

from pathlib import Path

from bertline.data.examples import read_examples
from bertline.training.facts import reading_facts


def test_lists_in_csv_are_told_as_several_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('text,labels\na,"[""x"", ""y""]"\nb,"[""y""]"\n')
    facts = dict(reading_facts(read_examples(path)))
    assert facts["Data"] == f"2 rows of {path}; text from column 'text', several labels from column 'labels'"
    assert facts["Labels"] == "y 2, x 1"
    assert "Hints" not in facts


def test_hints_are_one_fact(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,text_pair,label\na,b,x;y\nc,d,y\ne,f,y\n")
    hints = dict(reading_facts(read_examples(path)))["Hints"]
    assert "; the column 'text_pair' is not read" in hints
    assert "--label-separator ';'" in hints
