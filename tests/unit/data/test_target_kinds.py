"""Entities as the targets of a table: the formats, the columns, and messages with the line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from bertline.data.entities import Entity
from bertline.data.examples import Dataset, Example, read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_kinds import Entities
from bertline.errors import DataError

TEXT = "Zoë met\r\nAda 👩‍🚀 in Yorḱ"


def read_tagged(path: Path, **settings: Any) -> Dataset:
    return read_examples(path, LabelledTableSettings(**settings), kind=Entities(), trainable=False)


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_json_lines_keep_the_raw_text(tmp_path: Path) -> None:
    entities = '[{"start": 20, "end": 24, "label": "place"}, {"start": 0, "end": 3, "label": "person"}]'
    row = '{"text": "Zoë met\\r\\nAda 👩‍🚀 in Yorḱ", "spans": %s}\n{"text": "none", "spans": null}\n'
    table = read_tagged(write(tmp_path / "a.jsonl", row % entities))
    assert [one.text for one in table.examples] == [TEXT, "none"]
    assert [TEXT[one.start : one.end] for one in table.examples[0].target] == ["Zoë", "Yorḱ"]
    assert [one.label for one in table.examples[0].target] == ["person", "place"]


@pytest.mark.parametrize("name", ["a.conll", "a.BIO", "a.iob2.gz"])
def test_conll_by_its_suffix(tmp_path: Path, name: str) -> None:
    content = b"Ada\tB-person\r\nsang\tO\r\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert read_tagged(tmp_path / name).examples == (Example(1, "Ada sang", (Entity(0, 3, "person"),)),)


def test_conll_by_its_format_and_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "ner.txt"
    path.write_bytes("Zoë B-person\n".encode("latin-1"))
    assert read_tagged(path, format="conll", encoding="latin-1").examples[0].text == "Zoë"
    with pytest.raises(DataError, match="does not say by its suffix what format it is in"):
        read_tagged(path)


def test_entities_in_csv_are_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'sentence,entities\nAda sang,"[[0, 3, ""person""]]"\nnothing,\n')
    assert [one.target for one in read_tagged(path).examples] == [(Entity(0, 3, "person"),), ()]


def test_a_bad_row_is_named_by_file_and_line_or_left_out(tmp_path: Path) -> None:
    good = '{"text": "Ada", "entities": [[0, 3, "person"]]}\n'
    bad = '{"text": "Ada", "entities": [[0, 4, "person"]]}\n'
    path = write(tmp_path / "a.jsonl", good + bad + '{"text": "Ada"}\n')
    with pytest.raises(DataError) as error:
        read_tagged(path)
    assert str(error.value) == (
        f"{path} has 2 bad rows (line 2: an entity outside the text in column 'entities' (person 0–4 of 3 characters); "
        "line 3: no column 'entities'); fix them or pass --skip-bad-rows to leave them out"
    )
    table = read_tagged(path, skip_bad_rows=True)
    assert (len(table.examples), sum(table.skipped.values())) == (1, 2)


def test_a_tag_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_tagged(write(tmp_path / "a.conll", "Ada O\n\nsang person\n"))
    assert "line 3: a value that cannot be read in column 'entities' (word 1 has the tag 'person'" in str(error.value)
    assert "neither O nor of the form B-person" in str(error.value)


def test_words_without_tags(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give each word its tag in the last column"):
        read_tagged(write(tmp_path / "a.conll", "Ada\nsang\n"))


def test_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "\n\n")
    with pytest.raises(DataError) as error:
        read_tagged(path)
    assert str(error.value) == f"{path} has no rows: give texts with their entities"


def test_no_column_of_entities(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column with a usual name for the entities: name it with --entities-"):
        read_tagged(write(tmp_path / "a.jsonl", '{"text": "Ada", "label": "x"}\n'))
    named = read_tagged(write(tmp_path / "b.jsonl", '{"text": "Ada", "label": []}\n'), entities_column="label")
    assert named.examples[0].target == ()


def test_a_table_without_entities_is_nothing_to_learn_from(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "Ada", "entities": []}\n')
    with pytest.raises(DataError) as error:
        read_examples(path, kind=Entities())
    assert str(error.value) == (f"{path} has no entities in column 'entities': give texts of which some have entities")
