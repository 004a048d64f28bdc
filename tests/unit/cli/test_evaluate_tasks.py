"""The command on models of every task: what is measured is what the model answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score

from bertline.inference import load_predictor
from bertline.library import evaluate as evaluate_in_library
from bertline.tasks.classify.spec import Spec as Classification
from bertline.tasks.contract import TaskSpec
from bertline.tasks.tag.spec import Spec as Tagging
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.unit.cli.test_evaluate import evaluate

TOPICS = ("art", "money", "sport")
SPECS: dict[str, tuple[TaskSpec, dict[str, Any]]] = {
    "topics": (Classification(problem="several", labels=TOPICS, thresholds=(0.5, 0.4, 0.6)), {}),
    "stars": (Classification(problem="number", labels=("stars",)), {}),
    "tagger": (Tagging(types=("person", "place")), {"pooling": "none", "truncation": "window"}),
    "pairs": (Classification(labels=("no", "yes"), reads="pair"), {"pairs": True}),
}
TEXTS = random_texts(40)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for name, (spec, how) in SPECS.items():
        write_tiny_bundle(folder / name, task=spec, **how)
    return {name: folder / name for name in SPECS}


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def figures(bundle: Path, rows: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert evaluate(bundle, rows, "--json", *more) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_several_labels(bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    truth = [[one for one in TOPICS if rng.random() < 0.4] for _ in TEXTS]
    rows = table(tmp_path / "rows.jsonl", [{"text": a, "label": b} for a, b in zip(TEXTS, truth, strict=True)])
    answers = [one.labels for one in load_predictor(bundles["topics"]).predict(TEXTS)]
    flags = [np.array([[one in row for one in TOPICS] for row in some]) for some in (truth, answers)]
    content = figures(bundles["topics"], rows, capsys, "--report", str(tmp_path / "report"))
    assert content["metrics"]["micro_f1"]["value"] == pytest.approx(f1_score(*flags, average="micro"))
    assert content["thresholds"] == [0.5, 0.4, 0.6]
    assert 'id="labels"' in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_columns_of_0_and_1_are_found_by_the_names_of_the_labels(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = table(tmp_path / "lists.jsonl", [{"text": one, "label": ["art", "sport"]} for one in TEXTS])
    flags = tmp_path / "flags.csv"
    flags.write_text("text,art,money,sport\n" + "".join(f'"{one}",1,0,1\n' for one in TEXTS), encoding="utf-8")
    assert figures(bundles["topics"], flags, capsys) == figures(bundles["topics"], lists, capsys)


def test_labels_unknown_to_the_model_are_noted(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(tmp_path / "rows.jsonl", [{"text": "a film", "label": ["art", "odd"]}, {"text": "it is", "label": []}])
    assert evaluate(bundles["topics"], rows) == 0
    written = capsys.readouterr()
    assert f"note: 1 true label is unknown to {bundles['topics']} (odd 1) and counted as missed" in written.err
    assert "micro-F1" in written.out
    wrong = table(tmp_path / "wrong.jsonl", [{"text": "a film", "label": ["odd"]}, {"text": "it is", "label": []}])
    assert evaluate(bundles["topics"], wrong) == 1
    assert capsys.readouterr().err == (
        f"error: {wrong} line 1 has the label 'odd', and no row has one that {bundles['topics']} knows (art, money, "
        "sport): give a table with these labels, or name another --label-column\n"
    )


def test_numbers(bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.random.default_rng(1).normal(size=len(TEXTS)).round(2).tolist()
    rows = table(tmp_path / "rows.jsonl", [{"text": a, "label": b} for a, b in zip(TEXTS, truth, strict=True)])
    answers = [one.number for one in load_predictor(bundles["stars"]).predict(TEXTS)]
    content = figures(bundles["stars"], rows, capsys, "--report", str(tmp_path / "report"))
    assert content["metrics"]["r2"]["value"] == pytest.approx(r2_score(truth, answers))
    assert 'id="errors"' in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert evaluate(bundles["stars"], rows) == 0
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert shown[-4:] == ["R²", "MAE", "RMSE", "Spearman"]


def test_entities(bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = load_predictor(bundles["tagger"]).predict(TEXTS)
    truth = [[one.entity.to_json() for one in each.entities[::2]] for each in answers]
    rows = table(tmp_path / "rows.jsonl", [{"text": a, "entities": b} for a, b in zip(TEXTS, truth, strict=True)])
    content = figures(bundles["tagger"], rows, capsys, "--report", str(tmp_path / "report"))
    assert content["entities"] == sum(map(len, truth)) > 0
    assert content["metrics"]["recall"]["value"] == 1.0
    assert content["metrics"]["precision"]["value"] == pytest.approx(
        sum(map(len, truth)) / sum(len(one.entities) for one in answers)
    )
    assert 'id="types"' in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    report = evaluate_in_library(bundles["tagger"], rows)
    assert report["F1"] == {"figure": "F1", **content["metrics"]["f1"]}


def test_pairs(bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both texts are read: the answers are those to the pairs, and not to the first texts alone."""
    pairs = list(zip(TEXTS[:20], TEXTS[20:], strict=True))
    answers = [one.label for one in load_predictor(bundles["pairs"]).predict(pairs)]
    rows = [{"text": a, "text_pair": b, "label": label} for (a, b), label in zip(pairs, answers, strict=True)]
    content = figures(bundles["pairs"], table(tmp_path / "rows.jsonl", rows), capsys)
    assert content["metrics"]["accuracy"]["value"] == 1.0
    assert content["mistakes"] == []
