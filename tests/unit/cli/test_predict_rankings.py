"""The command with a ranker: the score of each text for its query, in the order of the rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bertline.cli.predict_lines import score_line
from bertline.errors import DataError, SettingsError
from bertline.inference import load_predictor
from bertline.tasks.rank.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.unit.cli.test_predict import bertline

PAIRS = [*zip(random_texts(6), random_texts(6, seed=1), strict=True)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "ranker"
    write_tiny_bundle(target, task=Spec())
    return target


def write(path: Path, *columns: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *PAIRS])
    return path


@pytest.mark.parametrize(
    ("columns", "flags"),
    [
        (("query", "text"), ()),
        (("Question", "passage"), ()),
        (("a", "b"), ("--query-column", "a", "--text-column", "b")),
    ],
)
def test_a_row_is_a_query_and_a_text(
    bundle: Path, tmp_path: Path, columns: tuple[str, str], flags: tuple[str, ...]
) -> None:
    out = tmp_path / "out.csv"
    result = bertline(bundle, "--input", write(tmp_path / "in.csv", *columns), "--output", out, *flags)
    assert result.exit_code == 0, result.output
    with out.open(newline="", encoding="utf-8") as stream:
        rows = [*csv.DictReader(stream)]
    assert [(row[columns[0]], row[columns[1]]) for row in rows] == PAIRS
    expected = [one.score for one in load_predictor(bundle).predict(PAIRS)]
    assert [float(row["predicted_score"]) for row in rows] == pytest.approx(expected, abs=1e-6)


def test_a_query_and_a_text_as_arguments(bundle: Path) -> None:
    query, text = PAIRS[0]
    result = bertline(bundle, query, "--text-pair", text, "--json")
    answer = json.loads(result.stdout)
    assert (answer["text"], answer["text_pair"]) == PAIRS[0]
    assert answer["score"] == pytest.approx(load_predictor(bundle).predict(PAIRS[:1])[0].score, abs=1e-6)


def test_a_query_goes_with_each_text(bundle: Path) -> None:
    query, texts = PAIRS[0][0], [text for _, text in PAIRS[:3]]
    flags = [flag for text in texts for flag in ("--text-pair", text)]
    rows = [json.loads(line) for line in bertline(bundle, query, *flags, "--json").stdout.splitlines()]
    assert [(row["text"], row["text_pair"]) for row in rows] == [(query, text) for text in texts]
    (answer,) = load_predictor(bundle).predict(PAIRS[:1])
    assert score_line(PAIRS[0], answer) == f"{answer.score:.4f}"
    told = f"note: {bundle} scores texts for a query and was given none: --text-pair gives a text"
    assert told in bertline(bundle, query).stderr


def test_what_is_missing_or_of_another_model_is_named(bundle: Path, tmp_path: Path) -> None:
    result = bertline(bundle, "--input", write(tmp_path / "in.csv", "find", "text"))
    assert isinstance(result.exception, DataError)
    assert "has no column with a usual name for the query: name it with --query-column" in str(result.exception)
    result = bertline(bundle, "--input", write(tmp_path / "in.csv", "query", "text"), "--text-pair-column", "text")
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception).endswith("a ranker reads a query and a text: set query_column and text_column")
    write_tiny_bundle(tmp_path / "plain")
    result = bertline(tmp_path / "plain", "--input", tmp_path / "in.csv", "--query-column", "query")
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == "query_column is set, but only rankers read queries: leave it out"
