"""Two bundles on one table, as one types it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from bertline.cli.main import main
from bertline.testing.tiny import random_texts, write_tiny_bundle

TEXTS = random_texts(40, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles, and a table with labels and one without."""
    folder = tmp_path_factory.mktemp("compared")
    write_tiny_bundle(folder / "old", engine=True, seed=1, name="old")
    write_tiny_bundle(folder / "new", engine=True, seed=7, name="new")
    for name, columns in (("later.csv", ["text", "label"]), ("texts.csv", ["text"])):
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            rows = [[text, ("negative", "positive")[place % 2]] for place, text in enumerate(TEXTS)]
            csv.writer(stream).writerows([columns, *(row[: len(columns)] for row in rows)])
    return folder


def bertline(folder: Path, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["bertline", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def test_where_they_differ_is_shown_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bertline(folder, "old", "new", "later.csv", "--out", "rows.csv", "--json") == 0
    told, said = capsys.readouterr()
    found = json.loads(told)
    assert said == "rows: rows.csv\n"
    assert (found["first"]["name"], found["second"]["engine"], found["rows"]) == ("old", "fp32", len(TEXTS))
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == TEXTS
    differ = [row for row in rows if row["same"] == "false"]
    assert len(differ) == found["agreement"]["differ"] > 0
    assert all(row["a"] != row["b"] for row in differ)
    right = sum(row["b_right"] == "true" for row in rows)
    accuracy = next(one for one in found["labelled"]["figures"] if one["name"] == "accuracy")
    assert accuracy["second"]["value"] == pytest.approx(right / len(rows))

    assert bertline(folder, "old", "new", "later.csv") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("A  old (")
    assert f"They differ on {len(differ)} of {len(rows)} rows." in shown
    assert found["labelled"]["test"]["sentence"] in " ".join(shown.split())
    assert "check of the gate" in shown
    assert "In the median, B takes " in shown
    furthest = max(differ, key=lambda row: float(row["apart"]))
    assert f"  line {furthest['line']}: A {furthest['a']}, B {furthest['b']}  " in shown


def test_texts_without_labels_are_compared_by_their_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bertline(folder, "old", "new", "texts.csv") == 0
    shown = capsys.readouterr().out
    assert "Most frequent changes, A → B" in shown
    assert "check of the gate" not in shown


def test_one_bundle_is_compared_by_two_of_its_engines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bertline(folder, "old", "old", "later.csv") == 2
    assert "both are old (" in (said := capsys.readouterr().err)
    assert "name another bundle, or two of its engines with --engine and --second-engine" in said
    assert bertline(folder, "old", "old", "later.csv", "--second-engine", "torch") == 0
    assert "No row has a different answer." in capsys.readouterr().out


def test_models_that_answer_otherwise_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_bundle(folder / "topics", engine=True, labels=("sport", "trade"))
    assert bertline(folder, "old", "topics", "later.csv") == 2
    assert "do not give the same kind of answers" in capsys.readouterr().err
