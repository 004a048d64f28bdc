"""A table that shares no label or type with the model is refused, with the flag that names its column."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.data.examples import read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.shared_names import check_shared_names
from bertline.data.target_kinds import Entities, OneLabel, SeveralLabels, TargetKind
from bertline.errors import DataError

ONE = ("rows.csv", "text,label\na film,odd\n")
FLAGS = ("rows.csv", "text,odd,even\na film,1,0\n")
LISTS = ("rows.jsonl", '{"text": "a film", "label": ["odd"]}\n')
SPANS = ("rows.jsonl", '{"text": "a film", "entities": [{"start": 2, "end": 6, "label": "odd"}]}\n')
CONLL = ("rows.conll", "It O\nrains O\n\nfilm B-odd\n")
CASES: dict[str, tuple[tuple[str, str], TargetKind, dict[str, object], str, str]] = {
    "one label": (ONE, OneLabel(), {}, "line 2 has the label", "labels, or name another --label-column"),
    "lists": (LISTS, SeveralLabels(), {}, "line 1 has the label", "labels, or name another --label-column"),
    "columns": (
        FLAGS,
        SeveralLabels(),
        {"label_columns": ("odd", "even")},
        "line 2 has the label",
        "labels, or correct --label-columns",
    ),
    "conll": (CONLL, Entities(), {}, "line 4 has an entity of type", "types"),
    "entities": (SPANS, Entities(), {}, "line 1 has an entity of type", "types, or name another --entities-column"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_flag_is_the_one_that_names_the_column_of_the_kind(case: str, tmp_path: Path) -> None:
    (name, content), kind, settings, has, remedy = CASES[case]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    dataset = read_examples(str(path), LabelledTableSettings(**settings), kind=kind, trainable=False)  # type: ignore[arg-type]
    check_shared_names(dataset, ("odd", "good"), "that films knows")  # one is enough
    with pytest.raises(DataError) as caught:
        check_shared_names(dataset, ("bad", "good"), "that films knows")
    assert str(caught.value) == (
        f"{path} {has} 'odd', and no row has one that films knows (bad, good): give a table with these {remedy}"
    )
