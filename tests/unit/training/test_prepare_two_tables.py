"""Where a command reads two tables, what is said of tables holds for both, and the advice of an error helps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.errors import DataError
from bertline.optimization.settings import OptimizeSettings
from bertline.testing.tiny import write_tiny_bundle
from bertline.training.distillation.held_out import read_held_out
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.transfer import check_heads, read_transfer
from bertline.training.prepare import Prepared, prepare
from bertline.training.progress import Silent
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences

Rows = list[tuple[str, str]]


def json_lines(rows: Rows) -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


def separated(rows: Rows, between: str = ",", header: str | None = "text,label") -> str:
    head = [] if header is None else [header.replace(",", between)]
    return "\n".join([*head, *(f"{text}{between}{label}" for text, label in rows)]) + "\n"


def prepared(data: Path, test: Path, **changes: Any) -> Prepared:
    return prepare(str(data), TrainSettings(eval_data=test, keep_duplicates=True, **changes), Silent())


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


TRAIN, TEST = sentences(80), sentences(40, seed=1)
COLUMNS = {"text_column": "column_1", "label_column": "column_2"}
# What is said of tables → how both are written, and with which suffix.
SAID: dict[str, tuple[dict[str, Any], Callable[[Rows], str], str, str]] = {
    "a format": ({"format": "jsonl"}, json_lines, "json", "utf-8"),
    "an encoding": ({"encoding": "utf-16-be"}, separated, "csv", "utf-16-be"),
    "a delimiter": ({"delimiter": "^"}, lambda rows: separated(rows, "^"), "csv", "utf-8"),
    "no header": ({"no_header": True, **COLUMNS}, lambda rows: separated(rows, header=None), "csv", "utf-8"),
    "columns": (
        {"text_column": "body", "label_column": "queue"},
        *(lambda rows: separated(rows, header="body,queue"), "csv", "utf-8"),
    ),
    "several things": (
        {"format": "csv", "delimiter": "tab", "no_header": True, "encoding": "cp1252", **COLUMNS},
        *(lambda rows: separated([(text + " é", label) for text, label in rows], "\t", None), "dat", "cp1252"),
    ),
}
EACH = pytest.mark.parametrize("said", SAID)


@EACH
def test_train_applies_its_table_flags_to_both_tables(tmp_path: Path, said: str) -> None:
    """T14: every row of the test table is there."""
    settings, form, suffix, encoding = SAID[said]
    data = write(tmp_path / f"train14.{suffix}", form(TRAIN), encoding)
    test = write(tmp_path / f"test14.{suffix}", form(TEST), encoding)
    found = prepared(data, test, **settings)
    assert len(found.test) == len(TEST)
    assert len(found.train) + len(found.validation) == len(TRAIN)


@EACH
def test_distill_applies_its_table_flags_to_every_table(tmp_path: Path, said: str) -> None:
    """T14: DATA, --unlabelled and --eval-data alike."""
    settings, form, suffix, encoding = SAID[said]
    write_tiny_bundle(tmp_path / "tiny", labels=("good", "bad"))
    bundle = load(tmp_path / "tiny")
    paths = [write(tmp_path / f"{name}.{suffix}", form(rows), encoding) for name, rows in (("a", TRAIN), ("b", TEST))]
    given = DistillSettings(eval_data=paths[1], unlabelled=(str(paths[1]),), **settings)
    check_heads(str(paths[0]), given)
    held_out = read_held_out(bundle, given)
    assert len(held_out.inputs) == len(TEST)
    assert len(read_transfer(str(paths[0]), given, ()).inputs) == len({text for text, _ in [*TRAIN, *TEST]})


@EACH
def test_optimize_applies_its_table_flags(tmp_path: Path, said: str) -> None:
    """T14: it had none of the flags that its errors advised."""
    settings, form, suffix, encoding = SAID[said]
    path = write(tmp_path / f"more.{suffix}", form(TRAIN), encoding)
    given = {name: value for name, value in settings.items() if name != "label_column"}
    tables = OptimizeSettings(unlabelled=(str(path),), **given)
    assert len(read_transfer(None, tables, ()).inputs) == len(TRAIN)


def test_a_suffix_is_believed_of_the_other_table(tmp_path: Path) -> None:
    """T14: a format that is given for DATA says nothing of a table whose own name says it."""
    data = write(tmp_path / "train.json", json_lines(TRAIN))
    test = write(tmp_path / "test.tsv", separated(TEST, "\t"))
    assert len(prepared(data, test, format="jsonl").test) == len(TEST)


def test_without_a_format_the_advice_to_give_one_helps(tmp_path: Path) -> None:
    """T14: the error advised --format, which was given."""
    data = write(tmp_path / "train.jsonl", json_lines(TRAIN))
    test = write(tmp_path / "test.json", json_lines(TEST))
    with pytest.raises(DataError, match=r"test\.json does not say by its suffix .* or pass --format"):
        prepared(data, test)
    assert len(prepared(data, test, format="jsonl").test) == len(TEST)


def test_columns_that_were_found_are_found_in_the_other_table_too(tmp_path: Path) -> None:
    """T14: under its own names, unless it has those of DATA."""
    data = write(tmp_path / "train.csv", separated(TRAIN))
    test = write(tmp_path / "test.csv", separated(TEST, header="Review,Topic"))
    assert len(prepared(data, test).test) == len(TEST)
    both = [(f"{text},no", label) for text, label in TEST]
    test = write(tmp_path / "test.csv", separated(both, header="text,review,label"))
    assert prepared(data, test).test[0].text == TEST[0][0]


def test_a_column_that_the_other_table_lacks_can_be_renamed(tmp_path: Path) -> None:
    """T14: correcting the flag alone would lose the column of DATA."""
    data = write(tmp_path / "train.csv", separated(TRAIN, header="body,label"))
    test = write(tmp_path / "test.csv", separated(TEST))
    with pytest.raises(DataError, match=re.escape("test.csv has no column 'body': correct --text-column or rename")):
        prepared(data, test, text_column="body")


def test_rows_in_another_encoding_can_be_saved_in_this_one(tmp_path: Path) -> None:
    """T14: --encoding holds for both tables, so that alone would not help."""
    data = write(tmp_path / "train.csv", separated(TRAIN))
    test = write(tmp_path / "test.csv", separated([*TEST, ("é", "good")]), "latin-1")
    with pytest.raises(DataError, match=r"test\.csv has 1 bad row .* or save it as UTF-8 or pass --skip-bad-rows"):
        prepared(data, test)


def test_a_first_row_taken_for_a_header_raises_a_question(tmp_path: Path) -> None:
    """T19: with what helps."""
    data = write(tmp_path / "train.csv", separated(TRAIN, ";", None))
    with pytest.raises(DataError, match=r"name it with --text-column .*\); if it has no header, pass --no-"):
        prepare(str(data), TrainSettings(), Silent())
    whole = TrainSettings(no_header=True)
    with pytest.raises(DataError, match=r"\(its columns are 'column_1'\)"):
        prepare(str(data), whole, Silent())
    named = whole.model_copy(update={"delimiter": ";", **COLUMNS})
    assert sum(map(len, prepare(str(data), named, Silent()).splits.values())) == len(TRAIN)
