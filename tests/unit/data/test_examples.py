"""Examples: columns found, rows checked; what is wrong is told in one sentence with its lines and the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.data.examples import Dataset, Example, read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.table import open_writer
from bertline.errors import DataError

SOUND = "good,pos\nbad,neg\nfine,pos\npoor,neg\n"


def read_as(name: str, **options: Any) -> Dataset:
    """Read with some of the table's settings, and what is the reader's own."""
    own = {one: options.pop(one) for one in ("group_column", "slice_columns", "trainable", "like") if one in options}
    return read_examples(name, LabelledTableSettings(**options), **own)


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads examples from the content of t.csv."""
    monkeypatch.chdir(tmp_path)

    def read(content: str | bytes, **options: Any) -> Dataset:
        Path("t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return read_as("t.csv", **options)

    return read


@pytest.fixture
def jsonl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads examples from the objects of t.jsonl."""
    monkeypatch.chdir(tmp_path)

    def read(objects: list[Any], **options: Any) -> Dataset:
        Path("t.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in objects))
        return read_as("t.jsonl", **options)

    return read


def message(read: Any, content: Any, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        read(content, **options)
    return str(error.value)


def test_a_sound_table(csv: Any) -> None:
    dataset = csv("id,Review,Sentiment\n" + "".join(f"{i},text {i},{i % 2}\n" for i in range(4)))
    assert dataset.source == "t.csv"
    assert dataset.examples == tuple(Example(i + 2, f"text {i}", str(i % 2)) for i in range(4))
    assert dataset.settings == {"text_column": "Review", "label_column": "Sentiment"}
    assert dataset.skipped == {}


def test_groups_and_slices(csv: Any) -> None:
    rows = "a,x,ann,web\nb,y,,shop\nc,x,ann,\nd,y,bob,web\n"
    dataset = csv(f"text,label,Author,place\n{rows}", group_column="author", slice_columns=["place"])
    assert [(one.group, dict(one.fields)) for one in dataset.examples] == [
        ("ann", {"place": "web"}),
        (None, {"place": "shop"}),
        ("ann", {"place": ""}),
        ("bob", {"place": "web"}),
    ]


@pytest.mark.parametrize(
    ("values", "names"),
    [([True, False], ["true", "false"]), ([0, 1], ["0", "1"]), ([1.0, 2.0], ["1", "2"]), ([" a", "b "], ["a", "b"])],
)
def test_labels_of_any_kind_in_json_and_parquet(jsonl: Any, values: list[Any], names: list[str]) -> None:
    rows = [{"text": f"text {i}", "label": values[i % 2]} for i in range(4)]
    assert [one.target for one in jsonl(rows).examples] == names * 2
    with open_writer("t.parquet", columns=["text", "label"]) as writer:
        for row in rows:
            writer.write(row)
    dataset = read_examples("t.parquet")
    assert [(one.line, one.target) for one in dataset.examples] == list(enumerate(names * 2, 1))


def test_bad_rows_are_reported_with_their_lines(csv: Any) -> None:
    assert message(csv, f'text,label\n{SOUND}  ,pos\n"two\nlines",\ntoo few\n') == (
        "t.csv has 3 bad rows (line 6: empty text in column 'text'; line 7: null label in column 'label'; "
        "line 9: too few fields (1 instead of 2)); fix them or pass --skip-bad-rows to leave them out"
    )


def test_bad_rows_are_counted_when_they_are_left_out(csv: Any) -> None:
    content = f'text,label\n{SOUND},pos\n ,neg\nx,\n"y" z,pos\nx,y,z\n"never closed,pos\n'
    dataset = csv(content, skip_bad_rows=True)
    assert [one.text for one in dataset.examples] == ["good", "bad", "fine", "poor"]
    assert dataset.skipped == {
        "empty text in column 'text'": 2,
        "null label in column 'label'": 1,
        "text after a closing quote": 1,
        "too many fields": 1,
        "a quote that is never closed": 1,
    }


def test_bytes_of_another_encoding(csv: Any) -> None:
    content = f"text,label\n{SOUND}naïve,pos\n".encode("latin-1")
    assert message(csv, content) == (
        "t.csv has 1 bad row (line 6: undecodable bytes (0xef at character 3 is not utf-8)); fix it or "
        "give the file's --encoding (such as latin-1 or cp1252) or save it as UTF-8 or pass --skip-bad-rows to "
        "leave it out"
    )
    assert csv(content, encoding="latin-1").examples[-1].text == "naïve"


def test_bad_rows_of_json_lines(jsonl: Any) -> None:
    sound = [{"text": f"text {i}", "label": i % 2} for i in range(4)]
    dataset = jsonl(
        [
            *sound,
            {"text": "x"},
            {"label": 1},
            {"text": None, "label": 1},
            {"text": 3, "label": 1},
            {"text": "x", "label": None},
            {"text": "x", "label": [1]},
            {"text": "x", "label": 0.5},
            ["x", 1],
            {"text": "x", "label": 1, "who": {}},
        ],
        skip_bad_rows=True,
        group_column="who",
    )
    assert len(dataset.examples) == 4
    assert dataset.skipped == {
        "no column 'label'": 1,
        "no column 'text'": 1,
        "empty text in column 'text'": 1,
        "no string in column 'text'": 1,
        "null label in column 'label'": 1,
        "a list where a row has one label, in column 'label'": 1,
        "a fraction as the label in column 'label'": 1,
        "not a JSON object": 1,
        "neither a string, an integer nor a boolean in column 'who'": 1,
    }


def test_the_columns_of_json_lines_are_the_keys_of_the_first_rows(jsonl: Any) -> None:
    rows = [{"id": 0}, *({"id": i, "text": f"text {i}", "label": i % 2} for i in range(4))]
    assert message(jsonl, rows) == (
        "t.jsonl has 1 bad row (line 1: no column 'text'); fix it or pass --skip-bad-rows to leave it out"
    )


def test_bad_rows_of_parquet_are_reported_by_number(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with open_writer(path, columns=["text", "label"]) as writer:
        for i in range(5):
            writer.write({"text": f"text {i}" if i != 2 else None, "label": i % 2})
    with pytest.raises(DataError, match=r"t\.parquet has 1 bad row \(row 3: empty text in column 'text'\)"):
        read_examples(path)


def test_nothing_but_bad_rows(csv: Any) -> None:
    assert message(csv, "text,label\n,a\n", skip_bad_rows=True) == (
        "t.csv has only 1 bad row (line 2: empty text in column 'text'); fix it"
    )
    assert message(csv, "text,label\nx\n", skip_bad_rows=True) == (
        "t.csv has only 1 bad row (line 2: too few fields (1 instead of 2)); fix it"
    )


def test_nothing_at_all(csv: Any, jsonl: Any) -> None:
    assert message(csv, "") == "t.csv is empty: it needs a header line with column names, and rows"
    assert message(csv, "text,label\n") == (
        "t.csv has a header line but no rows: give rows with a text and a label; if it has no header, pass --no-header"
    )
    assert message(jsonl, []) == "t.jsonl has no rows: give rows with a text and a label"


def test_a_label_with_a_single_example(csv: Any) -> None:
    """T16: a rare label is an ordinary one; of 52 news topics one has a single row."""
    content = f"text,label\n{SOUND}odd,psitive\n"
    for skip in (False, True):
        dataset = csv(content, skip_bad_rows=skip)
        assert [one.target for one in dataset.examples] == ["pos", "neg", "pos", "neg", "psitive"]
        assert dataset.skipped == {}


def test_a_column_of_anything_but_labels(csv: Any) -> None:
    content = "text,label\n" + "".join(f"text {i},value {i}\n" for i in range(5))
    assert message(csv, content) == (
        "t.csv has no label with two examples in column 'label': "
        "give examples of at least two labels, or name another --label-column"
    )


def test_one_label_only(csv: Any) -> None:
    assert message(csv, "text,label\nx,pos\ny,pos\n") == (
        "t.csv has only the label 'pos' in column 'label': "
        "give examples of at least two labels, or name another --label-column"
    )


def test_a_table_to_evaluate_on_may_have_any_labels(csv: Any) -> None:
    assert [one.target for one in csv("text,label\nx,pos\n", trainable=False).examples] == ["pos"]


@pytest.mark.parametrize("column", ["text_column", "label_column", "group_column"])
def test_a_column_that_is_not_there(csv: Any, column: str) -> None:
    flag = column.replace("_", "-")
    assert message(csv, f"text,label\n{SOUND}", **{column: "none"}) == (
        f"t.csv has no column 'none': correct --{flag} or rename the column (its columns are 'text', 'label')"
    )


def test_a_slice_column_that_is_not_there(csv: Any) -> None:
    assert "has no column 'none': correct --slice-columns" in message(
        csv, f"text,label\n{SOUND}", slice_columns=["none"]
    )


def test_a_missing_file_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist: check the path"):
        read_examples(tmp_path / "none.csv")
