"""What ``bertline pretrain`` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli.pretrain import register
from bertline.testing.tiny import random_texts, tiny_tokenizer

app = typer.Typer(pretty_exceptions_enable=False)
register(app)

SHAPE = "--layers 1 --hidden 16 --heads 2 --feed-forward 32 --sequence-tokens 32 --batch-tokens 256 --measurements 2"


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "vocabulary").mkdir()
    tiny_tokenizer().save(tmp_path / "vocabulary")
    texts = tmp_path / "films.csv"
    texts.write_text("text\n" + "".join(f'"{text}"\n' for text in random_texts(200)))
    return [str(texts), "--vocab", str(tmp_path / "vocabulary"), *SHAPE.split(), "--out", str(tmp_path / "out")]


def bertline(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["pretrain", *arguments])


def test_the_figures_are_printed_for_people_and_for_programs(arguments: list[str], tmp_path: Path) -> None:
    forecast = bertline(*arguments, "--dry-run", "--json", "--price-per-hour", "3")
    assert forecast.exit_code == 0, forecast.output
    expected = json.loads(forecast.stdout)
    assert expected["cost"]["high"] == pytest.approx(3 * expected["seconds"]["high"] / 3600)
    assert not (tmp_path / "out").exists()
    result = bertline(*arguments, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["steps"] == expected["steps"]
    lines = result.stderr.splitlines()
    assert any(line.startswith(f"Plan: {figures['trained_tokens']:,} tokens (1.") for line in lines)
    share = f"{100 * figures['held_out']['masked_accuracy']['value']:.1f}"
    assert any(
        line.replace("\N{NARROW NO-BREAK SPACE}", " ").split()[:3] == ["masked", "accuracy", share] for line in lines
    )
    assert f"Fine-tune it   bertline train DATA --model {tmp_path / 'out'} --out BUNDLE" in lines
    assert f"Fill in words  bertline models import {tmp_path / 'out'} --out BUNDLE" in lines
    again = bertline(*arguments, "--resume", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == figures
    assert again.stderr.splitlines()[0].startswith(f"{tmp_path / 'out'} is finished already: ")
    assert again.stderr.splitlines()[1:] == lines[lines.index("") :]
