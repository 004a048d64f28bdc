"""The command as one types it: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.bundle import load
from bertline.cli.distill import register
from bertline.errors import UsageError
from tests.unit.inference.tiny import write_tiny_bundle

app = typer.Typer(pretty_exceptions_enable=False)
register(app)
LABELS = ("negative", "neutral", "positive")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = [f"a {LETTERS[i % 26]} {LETTERS[(i * 7 + 3) % 26]} it is {LETTERS[i // 5 % 26]} at on" for i in range(60)]


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def bertline(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["distill", *map(str, arguments)])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "rows.csv"
    path.write_text("text,label\n" + "".join(f"{text},{LABELS[i % 3]}\n" for i, text in enumerate(TEXTS)))
    return path


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "more.txt"
    path.write_text("\n".join(f"{text[::-1]} !" for text in TEXTS))
    return path


def test_it_tells_what_the_student_kept(bundle: Path, table: Path, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    flags = ("--layers", 1, "--epochs", 1, "--precision", "fp32", "--eval-data", table, "--json")
    result = bertline(bundle, "--unlabelled", lines, "--out", out, *flags)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["kept"] == load(out).manifest.metrics["kept"]
    assert said["networks"]["student"]["layers"] == 1
    assert said["networks"]["student"]["parameters"] < said["networks"]["teacher"]["parameters"]
    assert said["speed"].keys() == {"engine", "teacher_texts_s", "student_texts_s", "ratio"}
    for words in ("accuracy of the teacher", "kept (student ÷ teacher)", "2 layers, ", " → 1 layers", "texts/s"):
        assert words in result.stderr


def test_without_texts_it_says_what_to_give(bundle: Path, table: Path, tmp_path: Path) -> None:
    result = bertline(bundle, "--out", tmp_path / "small", "--layers", 1, "--eval-data", table)
    assert isinstance(result.exception, UsageError)
    assert "give a table as DATA, or --unlabelled FILE" in str(result.exception)


def test_a_teacher_without_held_out_rows_is_refused(bundle: Path, lines: Path, tmp_path: Path) -> None:
    result = bertline(bundle, lines, "--out", tmp_path / "small", "--layers", 1)
    assert isinstance(result.exception, UsageError)
    assert "pass --eval-data" in str(result.exception)


def test_a_bundles_own_held_out_rows_are_used(table: Path, lines: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    write_tiny_bundle(teacher)
    result = bertline(teacher, lines, "--out", tmp_path / "a", "--layers", 1, "--epochs", 1, "--eval-data", table)
    assert result.exit_code == 0, result.output
    again = bertline(tmp_path / "a", lines, "--out", tmp_path / "b", "--layers", 1, "--epochs", 1, "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["rows"] == 30
