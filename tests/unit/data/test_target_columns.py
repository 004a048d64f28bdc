"""Targets of every kind, from the columns that a table has, and the faults of rows that have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.data.examples import Dataset, read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_kinds import Alike, Entities, Numbers, OneLabel, SeveralLabels, TargetKind
from bertline.errors import DataError


def table(path: Path, content: str | list[dict[str, Any]]) -> Path:
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, kind: TargetKind | None = None, *, trainable: bool = True, **settings: Any) -> Dataset:
    more = {} if kind is None else {"kind": kind}
    return read_examples(path, LabelledTableSettings(**settings), trainable=trainable, **more)


def test_lists_are_several_labels_unless_one_label_is_asked_for(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": ["x", " y", "x"]}, {"text": "b", "label": []}, {"text": "c", "label": ["y", 3]}]
    path = table(tmp_path / "t.jsonl", rows)
    assert read(path).targets == [("x", "y"), (), ("3", "y")]
    with pytest.raises(DataError, match="neither a string, an integer nor a boolean in column 'label'"):
        read(path, OneLabel())


def test_a_list_among_labels_is_a_bad_row(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": ["x"]}])
    with pytest.raises(DataError, match=r"line 2: a list where a row has one label, in column 'label' \(write a list"):
        read(path)


def test_a_separator(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,label\na,x; y\nb,\nc,y;;x;\n")
    assert read(path, label_separator=";").targets == [("x", "y"), (), ("x", "y")]


def test_a_csv_cell_may_be_a_json_list_and_nothing_else_becomes_one_label(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 'text,label\na,"[""x"", ""y""]"\nb,[]\nc,"[""y""]"\n')
    assert read(path, SeveralLabels()).targets == [("x", "y"), (), ("y",)]
    path = table(tmp_path / "u.csv", 'text,label\na,"x,y"\n')
    with pytest.raises(
        DataError,
        match=r"line 2: no list of labels in column 'label' \('x,y': name what separates labels with --label-sep",
    ):
        read(path, SeveralLabels())


def test_a_json_list_is_a_list_with_a_separator_too(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 'text,label\na,"[""x"", ""y""]"\nb,[]\nc,"y,z"\n')
    assert read(path, label_separator=",").targets == [("x", "y"), (), ("y", "z")]
    path = table(tmp_path / "u.csv", "text,label\na,\"['x', 'y']\"\nb,\"y,z\"\n")
    with pytest.raises(DataError, match=r"line 2: no list of labels in column 'label' \(.*: write lists as JSON"):
        read(path, label_separator=",")


LISTS_IN_CSV = 'text,labels\na,"[""x"", ""y""]"\nb,[]\nc,\nd,"[""y"", 3]"\n'


def test_json_lists_in_csv_are_several_labels_as_in_json_lines(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", LISTS_IN_CSV)
    assert read(path).targets == [("x", "y"), (), (), ("3", "y")]
    assert read(path).targets == read(path, SeveralLabels()).targets
    names = read(path, OneLabel(), skip_bad_rows=True, trainable=False).targets  # of --problem single
    assert names == ['["x", "y"]', "[]", '["y", 3]']


def test_a_json_list_among_the_labels_of_a_csv_is_a_bad_row(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 'text,label\na,x\nb,"[""x"", ""y""]"\nc,x\nd,[z]\n')
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == (
        f"{path} has 1 bad row (line 3: a list where a row has one label, in column 'label' (write a list in every "
        "row, or pass --problem single to take texts as they are)); fix it or pass --skip-bad-rows to leave it out"
    )
    assert read(path, skip_bad_rows=True).targets == ["x", "x", "[z]"]


def test_a_list_as_python_shows_it_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,label\na,\"['x', 'y']\"\nb,['x' 'y']\n")
    for kind in (None, SeveralLabels()):
        with pytest.raises(DataError, match=r"\['x', 'y'\].*: write lists as JSON, such as \[\"a\", \"b\"\]"):
            read(path, kind)


def test_an_embedder_does_not_learn_a_list_as_a_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: a list where .* \(give each text one label\)"):
        read(table(tmp_path / "t.csv", LISTS_IN_CSV), Alike())


def test_a_list_of_spans_is_pointed_to_the_tagger(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", [{"text": "Ada sang", "label": [[0, 3, "person"]]}])
    with pytest.raises(DataError, match=r"it is of type list; entities are learned with --task tag"):
        read(path)


def test_fractions_are_pointed_to_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: a fraction as the label in column 'label' \(0.5: pass --problem num"):
        read(table(tmp_path / "t.jsonl", [{"text": "a", "label": 0.5}]))
    with pytest.raises(DataError, match=r"name another --label-column, or pass --problem number to learn numbers$"):
        read(table(tmp_path / "t.csv", "text,label\na,0.5\nb,0.25\n"))


def test_a_table_without_labels_says_what_else_it_may_have(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\); to learn the entities in 'spans', pass --task tag$"):
        read(table(tmp_path / "t.jsonl", [{"text": "a", "spans": []}]))
    with pytest.raises(DataError, match=r"\); to rank texts for queries, pass --task rank$"):
        read(table(tmp_path / "t.jsonl", [{"query": "a", "text": "b", "score": 2}]))
    with pytest.raises(DataError, match="columns of 0 and 1 are labels, pass --label-columns bad --label-columns rude"):
        read(table(tmp_path / "t.csv", "text,bad,rude\na,1,0\nb,0,0\n"))


def test_columns_of_0_and_1(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "comment,toxic,rude,id\na,1,0,7\nb,0,0,8\nc,True,1,9\n")
    dataset = read(path, label_columns=("toxic", "Rude"))
    assert dataset.targets == [("toxic",), (), ("rude", "toxic")]
    assert dataset.settings["label_columns"] == ("toxic", "rude")


def test_a_flag_that_is_neither(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,toxic\na,1\nb,2\nc,\nd,1\n")
    with pytest.raises(DataError) as error:
        read(path, label_columns=("toxic",))
    assert "line 3: neither 0 nor 1 in column 'toxic' (it is '2'); line 4: " in str(error.value)


def test_a_model_finds_the_columns_of_its_labels(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,toxic,rude\na,1,0\nb,0,0\n")
    assert read(path, SeveralLabels(("rude", "toxic")), trainable=False).targets == [("toxic",), ()]
    with pytest.raises(DataError, match="has no column with a usual name for the label"):
        read(path, SeveralLabels(("rude", "mean")), trainable=False)


def test_no_label_twice_is_nothing_to_learn_from(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", [{"text": "a", "label": ["x"]}, {"text": "b", "label": ["y"]}])
    with pytest.raises(DataError, match="has no label with two examples in column 'label'"):
        read(path)


def test_the_same_labels_everywhere_are_nothing_to_learn_from(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": ["x", "y"]} for i in range(3)]
    told = r"gives every text the same labels \(x, y\) in column 'label': give texts that differ in them"
    with pytest.raises(DataError, match=told):
        read(table(tmp_path / "t.jsonl", rows))
    read(table(tmp_path / "differ.jsonl", [*rows, {"text": "other", "label": []}]))


def test_numbers(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,target\na,3\nb,-0.5\nc,1e2\n")
    assert read(path, Numbers()).targets == [3.0, -0.5, 100.0]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ('"1,5"', "no finite number in column 'target' (it is '1,5')"),
        ("nan", "no finite number in column 'target' (it is 'nan')"),
        ("", "null in column 'target'"),
    ],
)
def test_a_cell_that_is_not_a_number(tmp_path: Path, cell: str, fault: str) -> None:
    path = table(tmp_path / "t.csv", f"text,target\na,3\nb,{cell}\n")
    with pytest.raises(DataError) as error:
        read(path, Numbers())
    assert f"line 3: {fault}" in str(error.value)


def test_one_number_only_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has only the number 3.0 in column 'target'"):
        read(table(tmp_path / "t.csv", "text,target\na,3\nb,3\n"), Numbers())


def test_a_conll_file_without_tags_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.conll", "It\nrains\n")
    with pytest.raises(DataError) as error:
        read(path, Entities())
    assert str(error.value) == f"{path} has words without tags: give each word its tag in the last column"


def test_pairs(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text,reply,label\na,b,x\nc,,x\nd,e,y\nf,g,y\n")
    dataset = read(path, text_pair_column="Reply", skip_bad_rows=True)
    assert [one.input for one in dataset.examples] == [("a", "b"), ("d", "e"), ("f", "g")]
    assert dataset.skipped == {"empty text in column 'reply'": 1}
