"""What ``bertline vocab`` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli.vocab import register

app = typer.Typer(pretty_exceptions_enable=False)
register(app)


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def bertline(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["vocab", *map(str, arguments)])


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "films.csv"
    path.write_text("text\n" + "".join(f"film number {i} was as long as film {i * 7 % 13}\n" for i in range(200)))
    return path


def test_it_compares_the_vocabulary_with_that_of_the_base_model(texts: Path, tmp_path: Path) -> None:
    result = bertline(texts, "--size", 70, "--out", tmp_path / "out", "--sentence", "a long film", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["size"] == 70
    assert figures["held_out"]["vocabulary"]["unknown_share"] == 0
    lines = result.stderr.splitlines()
    assert any(line.startswith("70 tokens from 200 texts with ") for line in lines)
    new = figures["held_out"]["vocabulary"]
    row = ["new", f"{new['pieces_per_word']:.3f}", "0.000", "%", f"{new['pieces']:,}"]
    assert row in [line.split() for line in lines]
    assert "all-MiniLM-L6-v2, 3 tokens" in lines
    assert "  a long film" in lines


def test_fewer_tokens_than_requested_are_explained(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("one film\nanother film\n")
    result = bertline(tmp_path / "few.txt", "--size", 500, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "The texts have no more pieces that occur 2 times (--size 500)" in result.stderr
    assert "Not measured: no text was held out, because there are too few" in result.stderr


def test_one_text_is_counted_as_one(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text\nfilm\nbad\0row\n")
    result = bertline(tmp_path / "one.csv", "--size", 500, "--skip-bad-rows", "--out", tmp_path / "out")
    assert " tokens from 1 text with 1 different word; 1 bad row left out\n" in result.stderr
