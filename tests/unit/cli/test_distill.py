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
from bertline.testing.tiny import write_tiny_bundle

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


def test_it_reports_what_the_student_retains(bundle: Path, table: Path, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    flags = ("--layers", 1, "--epochs", 1, "--precision", "fp32", "--eval-data", table, "--json")
    result = bertline(bundle, "--unlabelled", lines, "--out", out, *flags)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["kept"] == load(out).manifest.metrics["kept"]
    assert said["networks"]["student"]["layers"] == 1
    assert said["networks"]["student"]["parameters"] < said["networks"]["teacher"]["parameters"]
    assert said["speed"].keys() == {"engine", "teacher_texts_s", "student_texts_s", "ratio"}
    assert said["networks"]["student"]["feed_forward"] == 64
    assert said["validation"].keys() == {"agreement", "kl_nats", "accuracy"}
    for words in ("accuracy of the teacher", "kept (student ÷ teacher)", "2 layers, ", " → 1 layers", "texts/s"):
        assert words in result.stderr
    again = bertline(bundle, "--unlabelled", lines, "--out", out, *flags, "--resume")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {name: one for name, one in said.items() if name != "speed"}
    assert again.stderr.startswith(f"{out} is finished already: ")
    assert f"Bundle  {out}" in again.stderr


def test_a_second_distillation_reports_how_close_start_and_student_are(
    bundle: Path, table: Path, lines: Path, tmp_path: Path
) -> None:
    flags = ("--epochs", 1, "--precision", "fp32", "--eval-data", table, "--json", "--unlabelled", lines)
    first = bertline(bundle, "--layers", 1, "--out", tmp_path / "small", *flags)
    assert first.exit_code == 0, first.output
    more = ("--start", tmp_path / "small", "--feed-forward", 20)
    result = bertline(bundle, *more, "--out", tmp_path / "narrow", *flags)
    assert result.exit_code == 0, result.output
    said, before = json.loads(result.stdout), json.loads(first.stdout)["validation"]
    assert said["validation"]["start"] == before
    assert said["networks"]["student"]["layers"] == 1
    assert said["networks"]["student"]["feed_forward"] == 20
    agreement, divergence = before["agreement"]["value"], before["kl_nats"]
    shown = f"start: same answer as the teacher {agreement:.3f}, KL divergence {divergence:.4f} nats"
    size = "1 layers, 4 attention heads in total, 20 feed-forward neurons per layer, "
    for words in ("On the validation rows: ", shown, " → student: same answer", size):
        assert words in result.stderr


def test_a_width_and_a_start_that_do_not_fit_are_refused(
    bundle: Path, table: Path, lines: Path, tmp_path: Path
) -> None:
    def refused(*flags: object) -> str:
        result = bertline(bundle, lines, "--out", tmp_path / "narrow", "--eval-data", table, *flags)
        assert isinstance(result.exception, UsageError)
        return str(result.exception)

    where = f"each layer of {bundle} has 64 feed-forward neurons: give 1 to 64"
    assert refused("--layers", 1, "--feed-forward", 65) == f"--feed-forward is 65, but {where}"
    where = f"each layer of {bundle} has 4 attention heads: give 1 to 4"
    assert refused("--layers", 1, "--attention-heads", 5) == f"--attention-heads is 5, but {where}"
    assert refused("--feed-forward", 0).startswith("--feed-forward is 0: input should be greater than or equal to 1")
    other = tmp_path / "other"
    write_tiny_bundle(other, labels=("ham", "spam"))
    assert refused("--start", other) == (
        f"--start {other} answers with ham, spam, but its teacher {bundle} with negative, neutral, positive: "
        f"give a student that was distilled from {bundle}"
    )
    assert refused("--start", bundle, "--layers", 1) == (
        f"--layers is 1, but --start {bundle} has 2 layers and keeps them: leave --layers out"
    )


def test_without_texts_the_error_explains_what_to_give(bundle: Path, table: Path, tmp_path: Path) -> None:
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
