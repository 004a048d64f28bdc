"""The command with a tagger: entities of texts, and a column of entities in every format of table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.cli.predict_lines import _rounded
from bertline.data.entities import entities_of
from bertline.data.rows import Row
from bertline.data.table import read_rows
from bertline.errors import UsageError
from bertline.inference import load_predictor
from bertline.tasks.tag.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.unit.cli.test_predict import bertline

TEXTS = ["a film", "it is\r\nso", *random_texts(6)]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("taggers") / "tagger"
    write_tiny_bundle(path, task=Spec(types=("person", "place")), pooling="none", truncation="window")
    return path


def test_texts_are_answered_as_json_and_between_tabs(tagger: Path) -> None:
    expected = load_predictor(tagger).predict(TEXTS)
    lines = bertline(tagger, *TEXTS, "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"text": text, **_rounded(one.to_json())} for text, one in zip(TEXTS, expected, strict=True)
    ]
    rows = [line.split("\t") for line in bertline(tagger, *TEXTS).stdout.splitlines()]
    assert [json.loads(entities) for entities, _ in rows] == [one.columns()["predicted_entities"] for one in expected]


def test_ranks_are_only_requested_from_models_with_ranks(tagger: Path) -> None:
    result = bertline(tagger, "a film", "--top-k", 2)
    assert str(result.exception) == "--top-k is for models that rank labels, and tagger does not: leave it out"
    assert isinstance(result.exception, UsageError)


@pytest.mark.parametrize("target", ["jsonl", "csv", "parquet"])
def test_a_table_gets_a_column_of_entities_that_can_be_read_again(tagger: Path, tmp_path: Path, target: str) -> None:
    table, out = tmp_path / "in.jsonl", tmp_path / f"out.{target}"
    table.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    result = bertline(tagger, "--input", table, "--output", out)
    assert result.exit_code == 0, result.output
    rows = [row for row in read_rows(out) if isinstance(row, Row)]
    assert list(rows[0].values) == ["text", "predicted_entities", "cut_tokens"]
    for row, answer in zip(rows, load_predictor(tagger).predict(TEXTS), strict=True):
        found = entities_of(row.values["predicted_entities"], str(row.values["text"]))
        assert found == tuple(one.entity for one in answer.entities)


def test_a_conll_file_is_answered_sentence_by_sentence(tagger: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "in.conll", tmp_path / "out.jsonl"
    table.write_text("a\tO\nfilm\tB-person\n\nit\tO\n", encoding="utf-8")
    assert bertline(tagger, "--input", table, "--output", out).exit_code == 0
    first, second = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert (first["text"], first["entities"]) == ("a film", [{"start": 2, "end": 6, "label": "person"}])
    assert second["text"] == "it"
    assert "predicted_entities" in second
