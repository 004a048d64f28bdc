"""The command as one types it: what it accepts, what it refuses, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli.predict import register
from bertline.errors import BundleError, UsageError
from bertline.inference import load_predictor

app = typer.Typer(pretty_exceptions_enable=False)
register(app)


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def bertline(*arguments: object, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=text)


def answer(bundle: Path, text: str) -> dict[str, float]:
    (one,) = load_predictor(bundle).predict([text])
    return dict(one.probabilities)


def test_texts_are_answered_one_per_line(bundle: Path) -> None:
    result = bertline(bundle, "a film", "it is so")
    assert result.exit_code == 0, result.output
    expected = [load_predictor(bundle).predict([text])[0] for text in ("a film", "it is so")]
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        [one.label, f"{one.probabilities[one.label]:.6f}", text]
        for one, text in zip(expected, ("a film", "it is so"), strict=True)
    ]
    assert result.stderr == ""


def test_json_gives_every_label_most_probable_first(bundle: Path) -> None:
    result = bertline(bundle, "a film", "--json")
    one = json.loads(result.stdout)
    expected = answer(bundle, "a film")
    assert {entry["label"]: entry["probability"] for entry in one["probabilities"]} == pytest.approx(expected, abs=1e-6)
    assert [entry["probability"] for entry in one["probabilities"]] == sorted(
        (round(share, 6) for share in expected.values()), reverse=True
    )
    assert one["label"] == one["probabilities"][0]["label"]
    assert (one["text"], one["read_tokens"], one["cut_tokens"]) == ("a film", 7, 0)


def test_top_k_limits_the_labels(bundle: Path) -> None:
    assert len(json.loads(bertline(bundle, "a film", "--json", "--top-k", 2).stdout)["probabilities"]) == 2
    assert len(bertline(bundle, "a film", "-k", 2).stdout.rstrip("\n").split("\t")) == 5
    assert len(bertline(bundle, "a film", "-k", 9).stdout.rstrip("\n").split("\t")) == 7


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read_line_by_line(bundle: Path, arguments: list[str]) -> None:
    result = bertline(bundle, *arguments, "--json", text="a film\nit is\tso\n")
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == ["a film", "it is\tso"]


def test_lines_may_be_gzipped(bundle: Path) -> None:
    result = bertline(bundle, "--json", text=gzip.compress(b"a film\nit is so\n"))
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == ["a film", "it is so"]


def test_an_unknown_format_is_a_usage_error_that_lists_the_known_ones(bundle: Path) -> None:
    result = bertline(bundle, "--input", "in.csv", "--format", "xlsx")
    assert result.exit_code == 2
    assert all(f"'{one}'" in result.stderr for one in ("csv", "tsv", "jsonl", "parquet", "conll"))


def test_truncated_texts_are_listed(bundle: Path) -> None:
    result = bertline(bundle, "it is " * 40, "so")
    assert result.stderr == (
        "note: 1 of 2 texts is longer than 32 tokens; 50 of all 82 tokens (61.0\u202f%) were not read\n"
    )


def test_a_text_that_names_a_file_is_labelled_with_a_hint(bundle: Path) -> None:
    result = bertline(bundle, bundle / "README.md")
    assert result.exit_code == 0
    assert f"README.md is also a file; what was labelled is its name. For its rows: --input {bundle}" in result.stderr


def test_a_table_round_trips(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a film\n")
    result = bertline(bundle, "--input", tmp_path / "in.csv", "-o", tmp_path / "out.jsonl", "--top-k", 2)
    assert result.exit_code == 0, result.output
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert list(row) == ["id", "text", "predicted_label", "probability", "label_2", "probability_2", "cut_tokens"]
    assert row["probability"] == pytest.approx(max(answer(bundle, "a film").values()), abs=1e-6)
    assert result.stdout == ""
    assert "1 row, " in result.stderr
    assert "out.jsonl" in result.stderr


def test_a_table_can_pass_through_a_pipe(bundle: Path) -> None:
    result = bertline(bundle, "--input", "-", text="text,n\na film,1\n")
    assert result.stdout.splitlines()[0] == "text,n,predicted_label,probability,cut_tokens"
    assert result.stdout.splitlines()[1].startswith("a film,1,")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a film", "--input", "in.csv"], "texts and --input were both given: give one of them"),
        (["a film", "--output", "out.csv"], "--output goes with --input: name the table to label"),
        (["a film", "--format", "csv"], "--format goes with --input"),
        (["a film", "--text-column", "t"], "--text-column goes with --input"),
        (["a film", "--overwrite"], "--overwrite goes with --input"),
        (["--input", "in.csv", "--json"], "--json is for texts: with --input, name the --output .jsonl"),
        (["a film", ""], "text 2 is empty: leave it out, or check the quotes"),
        (["a film", " "], "text 2 is only white space: leave it out, or check the quotes"),
        (
            ["\u200b"],  # R9
            "text 1 has only characters that the model does not read (U+200B): leave it out, or check the quotes",
        ),
        (["a \udcff"], "text 1 is not UTF-8: pipe it in and pass its --encoding"),
    ],
)
def test_nonsensical_values_are_refused(bundle: Path, arguments: list[str], message: str) -> None:
    result = bertline(bundle, *arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
    assert result.exception.exit_code == 2


def test_top_k_of_zero_is_refused(bundle: Path) -> None:
    assert bertline(bundle, "a film", "--top-k", "0").exit_code == 2


def test_a_missing_bundle_is_an_error(tmp_path: Path) -> None:
    result = bertline(tmp_path / "nowhere", "a film")
    assert isinstance(result.exception, BundleError)
    assert "nowhere does not exist: give the directory that bertline train wrote" in str(result.exception)


COMMAND = """
import sys, typer
from bertline.cli.predict import register
app = typer.Typer(pretty_exceptions_enable=False)
register(app)
app.callback()(lambda: None)
app(sys.argv[1:])
"""


def process(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "60"}
    command = [sys.executable, "-c", COMMAND, "predict", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **options)  # type: ignore[call-overload, no-any-return]


def test_without_a_text_a_terminal_shows_the_usage(bundle: Path) -> None:
    terminal, other_end = pty.openpty()
    run = process(bundle, stdin=other_end, stderr=subprocess.PIPE)
    _, stderr = run.communicate()
    os.close(terminal)
    os.close(other_end)
    assert run.returncode != 0
    assert b"there is no text: give texts as arguments, pipe in one text per line, or name a table" in stderr


def test_a_reader_that_leaves_ends_it_quietly(bundle: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("a film\n" * 20_000)
    with lines.open("rb") as stdin:
        run = process(bundle, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline().count(b"\t") == 2
        run.stdout.close()
        assert run.stderr.read() == b""
        run.stderr.close()
    assert run.wait() == 0


def test_on_a_terminal_answers_are_aligned(bundle: Path) -> None:
    terminal, other_end = pty.openpty()
    run = process(bundle, "a film", "it is " * 40, stdin=subprocess.DEVNULL, stdout=other_end, stderr=subprocess.PIPE)
    _, stderr = run.communicate()
    os.close(other_end)
    lines = os.read(terminal, 10_000).decode().splitlines()
    os.close(terminal)
    assert run.returncode == 0
    assert len(lines) == 2
    assert {line.index("\u202f%") for line in lines} == {len("negative  100.0")}
    assert lines[0].endswith("  a film")
    assert "(50 tokens cut)  it is it" in lines[1]
    assert lines[1].endswith("…")
    assert len(lines[1]) <= 60
    assert b"1 of 2 texts is longer than 32 tokens" in stderr
