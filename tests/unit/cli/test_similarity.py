"""The verb that compares two texts, or the two of each row of a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bertline
from bertline.cli.main import application
from bertline.errors import BertlineError, DataError, UsageError
from bertline.testing.tiny import random_texts, write_tiny_bundle

FIRST, SECOND = random_texts(6), random_texts(6, seed=1)


def similarity(*arguments: object) -> Result:
    result = CliRunner().invoke(application(["similarity"]), ["similarity", *map(str, arguments)])
    if isinstance(result.exception, BertlineError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("similarity") / "reviews"
    write_tiny_bundle(target, engine=True)
    return target


def test_the_first_text_is_compared_with_each_of_the_others(bundle: Path) -> None:
    expected = bertline.load(bundle).similarity(["a film"], ["a film", "it  is so"])[0]
    lines = similarity(bundle, "a film", "a film", "it  is so").stdout.splitlines()
    assert lines == ["1.0000\ta film", f"{expected[1]:.4f}\tit is so"]
    [line] = similarity(bundle, "a film", "it  is so", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["text"], found["text_pair"]) == ("a film", "it  is so")
    assert found["similarity"] == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize(
    ("names", "flags"),
    [
        (("sentence1", "sentence2", "score"), ()),
        (("question", "answer", "id"), ()),
        (("text", "text_pair", "similarity"), ()),
        (("left", "right", "id"), ("--text-column", "left", "--text-pair-column", "right")),
    ],
)
def test_a_table_of_pairs_gets_a_column(
    bundle: Path, tmp_path: Path, names: tuple[str, ...], flags: tuple[str]
) -> None:
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *zip(FIRST, SECOND, "abcdef", strict=True)])
    similarity(bundle, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv", *flags)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    prefix = "reviews_" if "similarity" in names else ""
    assert [*rows[0]] == [*names, f"{prefix}similarity", f"{prefix}cut_tokens"]
    expected = bertline.load(bundle).similarity(FIRST, SECOND).diagonal()
    assert [float(row[f"{prefix}similarity"]) for row in rows] == pytest.approx(expected.tolist(), abs=2e-6)


def test_what_was_too_long_is_said(bundle: Path) -> None:
    assert "note: 1 of 1 texts is longer than" in similarity(bundle, "a film", "it is " * 60).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give two texts or more, or a table of pairs with --input, and not both"),
        (("a film", "--input", "in.csv"), "give two texts or more, or a table of pairs with --input, and not both"),
        (("a film",), "there is one text: give another one to compare it with"),
        (("a film", ""), "text 2 is empty: leave it out, or check the quotes"),
        (("a film", "so", "--output", "out.csv"), "--output goes with --input: name the table of pairs"),
        (("--input", "in.csv", "--json"), "--json is for texts: with --input, name the --output .jsonl"),
    ],
)
def test_flags_that_make_no_sense_are_refused(bundle: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        similarity(bundle, *arguments)


def test_a_table_without_pairs_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a film\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.csv has no column with a usual name for the text-pair: name it with"):
        similarity(bundle, "--input", tmp_path / "in.csv")
    (tmp_path / "in.txt").write_text("a film\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.txt has one text per line, and what is read is pairs of texts: give a"):
        similarity(bundle, "--input", tmp_path / "in.txt")
