"""Signs that single labels of single texts are not what a table has; none for ordinary tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bertline.data.examples import read_examples
from bertline.data.label_hints import label_hints
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_kinds import OneLabel


def hints(path: Path, header: str, rows: list[str], **more: Any) -> list[str]:
    path.write_text("\n".join([header, *rows]) + "\n")
    settings = LabelledTableSettings(**more.pop("settings", {}))
    return [*label_hints(read_examples(path, settings, trainable=False, **more))]


@pytest.mark.parametrize("separator", [";", "|"])
def test_labels_that_share_parts(tmp_path: Path, separator: str) -> None:
    rows = [f"a,late{separator}lost", "b,lost", "c,paid"]
    assert hints(tmp_path / "t.csv", "text,label", rows, settings={"delimiter": ","}) == [
        f"1 of 3 labels in column 'label' have a '{separator}', such as 'late{separator}lost', and each is learned as "
        f"one label: if it separates labels, pass --label-separator '{separator}'"
    ]
    settings = {"delimiter": ",", "label_separator": separator}
    assert hints(tmp_path / "t.csv", "text,label", rows, settings=settings) == []


def test_amounts(tmp_path: Path) -> None:
    said = "are 3 numbers, and each is learned as a label of its own: if they are amounts, pass --problem number"
    assert [said in one for one in hints(tmp_path / "t.csv", "text,label", ["a,1", "b,1.5", "c,2"])] == [True]
    assert len(hints(tmp_path / "t.csv", "text,label", [f"a,{10 * n}" for n in range(21)])) == 1


@pytest.mark.parametrize("column", ["text_pair", "sentence2"])
def test_a_second_text_that_is_not_read(tmp_path: Path, column: str) -> None:
    rows = ["a,b,yes", "c,d,no"]
    assert hints(tmp_path / "t.csv", f"text,{column},label", rows) == [
        f"the column '{column}' is not read: to classify pairs of texts, pass --text-pair-column {column}"
    ]
    assert hints(tmp_path / "t.csv", f"text,{column},label", rows, pairs=True) == []
    assert hints(tmp_path / "t.csv", "text,query,label", rows) == [
        "the column 'query' is not read: to rank texts for queries, pass --task rank"
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ["a,pos", "b,neg"],
        ["a,food; drink", "b,toys; games"],  # no part in common
        [f"a,{n}" for n in range(77)],  # codes
        ["a,1", "b,5"],  # stars
    ],
)
def test_ordinary_labels(tmp_path: Path, rows: list[str]) -> None:
    assert hints(tmp_path / "t.csv", "text,label", rows) == []


def test_single_labels_that_were_asked_for(tmp_path: Path) -> None:
    assert hints(tmp_path / "t.csv", "text,label", ["a,x;y", "b,y"], kind=OneLabel()) == []
