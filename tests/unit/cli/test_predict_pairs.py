"""The command with a model that reads pairs: both texts of a row are read together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.errors import DataError, UsageError
from bertline.inference import load_predictor
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.unit.cli.test_predict import bertline

PAIRS = [*zip(random_texts(5), random_texts(5, seed=1), strict=True)]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_tiny_bundle(folder / "pairs", pairs=True)
    write_tiny_bundle(folder / "plain")
    return folder


def write(path: Path, first: str, second: str, **more: str) -> Path:
    rows = [{first: one, second: other, **more} for one, other in PAIRS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "second", "more", "flags"),
    [
        ("text", "text_pair", {}, []),
        ("premise", "hypothesis", {}, []),
        ("text", "answer", {"id": "7"}, ["--text-pair-column", "answer"]),
        ("a", "b", {"id": "7"}, ["--text-column", "a", "--text-pair-column", "b"]),
    ],
)
def test_a_row_is_a_pair(
    bundles: Path, tmp_path: Path, first: str, second: str, more: dict[str, str], flags: list[str]
) -> None:
    table, out = write(tmp_path / "in.jsonl", first, second, **more), tmp_path / "out.jsonl"
    result = bertline(bundles / "pairs", "--input", table, "--output", out, *flags)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    expected = load_predictor(bundles / "pairs").predict(PAIRS)
    for row, one, pair in zip(rows, expected, PAIRS, strict=True):
        assert (row[first], row[second]) == pair
        assert row["predicted_label"] == one.label
        assert row["probability"] == pytest.approx(one.probabilities[one.label], abs=1e-6)


USUAL = "has no column with a usual name for the"


@pytest.mark.parametrize(
    ("bundle", "columns", "flags", "message"),
    [
        ("pairs", ("text", "b"), [], f"in.jsonl {USUAL} text-pair: name it with --text-pair-column"),
        ("pairs", ("a", "text_pair"), [], f"in.jsonl {USUAL} text: name it with --text-column"),
        ("plain", ("text", "b"), ["--text-pair-column", "b"], "--text-pair-column b: the model reads single texts"),
    ],
)
def test_columns_that_are_not_there(
    bundles: Path, tmp_path: Path, bundle: str, columns: tuple[str, str], flags: list[str], message: str
) -> None:
    table = write(tmp_path / "in.jsonl", *columns, id="7")
    result = bertline(bundles / bundle, "--input", table, "--output", tmp_path / "out.jsonl", *flags)
    assert isinstance(result.exception, DataError)
    assert message in str(result.exception)


def test_an_empty_second_text_is_a_bad_row(bundles: Path, tmp_path: Path) -> None:
    table = tmp_path / "in.jsonl"
    table.write_text('{"text": "a film", "text_pair": " "}\n{"text": "a", "text_pair": "b"}\n', encoding="utf-8")
    out = tmp_path / "out.jsonl"
    result = bertline(bundles / "pairs", "--input", table, "--output", out)
    assert "in.jsonl has 1 bad row (line 1: empty text in column 'text_pair')" in str(result.exception)
    assert bertline(bundles / "pairs", "--input", table, "--output", out, "--skip-bad-rows").exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1


def test_texts_on_the_command_line_have_their_second_ones(bundles: Path) -> None:
    (a, b), (c, d) = PAIRS[:2]
    flags = ["--text-pair", b, "--text-pair", d]
    first, second = load_predictor(bundles / "pairs").predict(PAIRS[:2])
    result = bertline(bundles / "pairs", a, c, *flags, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["text"], row["text_pair"], row["label"]) for row in rows] == [
        (a, b, first.label),
        (c, d, second.label),
    ]
    for row, one in zip(rows, (first, second), strict=True):
        shares = {each["label"]: each["probability"] for each in row["probabilities"]}
        assert shares == pytest.approx(one.probabilities, abs=1e-6)
    lines = bertline(bundles / "pairs", a, c, *flags).stdout.splitlines()
    assert [line.split("\t")[2:] for line in lines] == [[a, b], [c, d]]


def test_single_texts_are_labelled_and_a_note_names_the_missing_part(bundles: Path) -> None:
    result = bertline(bundles / "pairs", "a film")
    assert result.exit_code == 0
    told = "reads pairs of texts and was given single ones: --text-pair gives a text its second one"
    assert f"note: {bundles / 'pairs'} {told}" in result.stderr
    assert "note" not in bertline(bundles / "plain", "a film").stderr


@pytest.mark.parametrize(
    ("bundle", "arguments", "message"),
    [
        ("plain", ["a", "--text-pair", "b"], "--text-pair is for models that read pairs, and "),
        (
            "pairs",
            ["a", "b", "--text-pair", "c"],
            "there are 2 texts and 1 of --text-pair: give each text its second one, one text for all of "
            "them, or a table of pairs with --input",
        ),
        ("pairs", ["--text-pair", "c"], "there are 0 texts and 1 of --text-pair: give each"),
        ("pairs", ["a", "--text-pair", " "], "--text-pair 1 is only white space: leave it out, or check the quotes"),
        (
            "pairs",
            ["--input", "rows.csv", "--text-pair", "c"],
            "--text-pair goes with texts: name the column of a table with --text-pair-column",
        ),
    ],
)
def test_second_texts_that_fit_nothing(bundles: Path, bundle: str, arguments: list[str], message: str) -> None:
    result = bertline(bundles / bundle, *arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_a_text_file_has_no_pairs(bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n", encoding="utf-8")
    result = bertline(bundles / "pairs", "--input", tmp_path / "in.txt")
    assert "in.txt has one text per line, and what is read is pairs of texts: give a table with both" in str(
        result.exception
    )
