"""The command as one types it, on tables whose labels are not all the bundle's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bertline.cli.main import main
from tests.unit.training.conftest import write_csv


def evaluate(bundle: Path, table: Path, *more: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bertline", "evaluate", str(bundle), str(table), *more])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def test_labels_that_the_bundle_does_not_know(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T16: they count as wrong, are named, and counted apart."""
    rows = [("a film", "positive"), ("it is", "positive"), ("one", "odd"), ("so", "odd"), ("is it", "new")]
    table = write_csv(tmp_path / "rows.csv", rows)
    assert evaluate(bundle, table, "--json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["unknown_labels"] == [{"label": "new", "rows": 1}, {"label": "odd", "rows": 2}]
    right = sum(found["confusion"][i][i] for i in range(3))
    assert right == 1
    assert found["metrics"]["accuracy"]["value"] == 0.2
    assert told.err == (
        f"note: 3 rows are of a label that {bundle} does not know (odd 2, new 1) and counted as wrong; accuracy on the "
        f"other rows is 50.0\N{NARROW NO-BREAK SPACE}% (9.5–90.5)\n"
    )


def test_a_table_of_other_labels_altogether(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T16: that is the wrong column or the wrong bundle."""
    table = write_csv(tmp_path / "rows.csv", [("a film", "7"), ("it is", "8")])
    assert evaluate(bundle, table) == 1
    assert capsys.readouterr().err == (
        f"error: {table} line 2 has the label '7', and no row has one that {bundle} knows (negative, neutral, "
        "positive): give a table with these labels, or name another --label-column\n"
    )


def test_a_label_of_the_bundle_that_no_row_has(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T16."""
    table = write_csv(tmp_path / "rows.csv", [("a film", "positive"), ("it is", "negative")])
    assert evaluate(bundle, table, "--report", str(tmp_path / "report")) == 0
    assert capsys.readouterr().err == ""
    assert "No row has the label “neutral”" in (tmp_path / "report" / "report.html").read_text()


def test_bad_rows_are_reported_as_by_predict(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_csv(tmp_path / "rows.csv", [("a film", "positive"), (" ", "positive")])
    assert evaluate(bundle, table, "--skip-bad-rows") == 0
    assert capsys.readouterr().err.splitlines()[0] == "note: left out 1 bad row: 1 × empty text in column 'text'"


def test_bounds_end_the_command_with_1_after_the_figures(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ("a film", "positive"),
        ("it is", "positive"),
        ("one", "negative"),
        ("so", "negative"),
        ("is it", "neutral"),
    ]
    table = write_csv(tmp_path / "rows.csv", rows)
    assert evaluate(bundle, table, "--json") == 0
    accuracy = json.loads(capsys.readouterr().out)["metrics"]["accuracy"]["value"]
    assert evaluate(bundle, table, "--minimum", f"accuracy={accuracy}", "--maximum", f"accuracy={accuracy}") == 0
    capsys.readouterr()
    bad = ("--minimum", f"accuracy={accuracy + 0.01}", "--maximum", "ece=-1", "--minimum", "nll=0")
    assert evaluate(bundle, table, *bad, "--report", str(tmp_path / "report"), "--json") == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["metrics"]["accuracy"]["value"] == accuracy
    assert (tmp_path / "report" / "report.html").is_file()
    assert told.err.startswith(f"error: on 5 rows of {table} accuracy is {accuracy:.4g} (95\u202f% ")
    assert f"below the minimum of {accuracy + 0.01:g}; ece is " in told.err
    assert told.err.endswith("above the maximum of -1: do not release this bundle\n")


def test_bounds_that_cannot_be_read(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_csv(tmp_path / "rows.csv", [("a film", "positive"), ("it is", "negative")])
    for flag, given, example in (
        ("--minimum", "accuracy", "accuracy=0.82"),
        ("--maximum", "=1", "ece=0.05"),
        ("--minimum", "a=nan", "accuracy=0.82"),
    ):
        assert evaluate(bundle, table, flag, given) == 2
        assert capsys.readouterr().err == (
            f"error: {flag} {given!r} is not NAME=NUMBER: give a figure and its bound, such as {example}\n"
        )
    assert evaluate(bundle, table, "--minimum", "f1=0.5") == 2
    assert (
        f"there is no figure 'f1' on 2 rows of {table}: give one of accuracy, macro_f1, mcc" in capsys.readouterr().err
    )
