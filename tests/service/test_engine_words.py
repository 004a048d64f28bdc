"""The linear model of words, the whole way: a table, ``train``, ``evaluate``, and a server with ``--engine words``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bertline.encoder.checkpoint import save_encoder
from bertline.testing.tiny import WORDS, tiny_classifier, tiny_tokenizer, write_tiny_bundle
from tests.forked import Command
from tests.service.spawn import Spawned, spawned
from tests.unit.training.conftest import write_csv
from tests.unit.training.test_words import planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has ``topics``, of an encoder that has learned next to nothing, and what its training said."""
    folder = tmp_path_factory.mktemp("whole")
    model, data = folder / "model", write_csv(folder / "rows.csv", planted(480))
    write_csv(folder / "later.csv", planted(200, seed=5))
    model.mkdir()
    save_encoder(model, tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(model)
    arguments = ["train", str(data), "--model", str(model), "--out", str(folder / "topics")]
    flags = "--lr 1e-6 --epochs 1 --head random --max-tokens 32 --test-ratio 0.2"
    code, said = Command([*arguments, *flags.split()], folder / "said.txt").ended(120)
    assert code == 0, said
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Spawned]:
    with spawned(str(folder / "topics"), "--engine", "words") as server:
        yield server


def post(server: Spawned, path: str, body: dict[str, Any]) -> Any:
    answered = httpx.post(server.url + path, json=body, timeout=30)
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_the_training_says_which_command_serves_the_better_one(folder: Path) -> None:
    said = (folder / "said.txt").read_text(encoding="utf-8").replace("\n", " ")
    assert re.search(r"Better\s+bertline serve \S*topics --engine words \(the linear model of words: accuracy", said)


def test_evaluate_measures_it(folder: Path) -> None:
    arguments = ["evaluate", str(folder / "topics"), str(folder / "later.csv"), "--engine", "words", "--json"]
    code, said = Command(arguments, folder / "evaluated.txt").ended(120)
    assert code == 0, said
    assert json.loads(said.splitlines()[0])["metrics"]["accuracy"]["value"] > 0.9


def test_the_server_answers_with_it_and_names_it(server: Spawned) -> None:
    assert ", engine words)" in server.line
    rows = planted(40, seed=6)
    answers = post(server, "/v1/predict", {"texts": [text for text, _ in rows]})["predictions"]
    right = [answer["label"] == label for answer, (_, label) in zip(answers, rows, strict=True)]
    assert sum(right) >= 36
    (model,) = httpx.get(f"{server.url}/v1/models").json()["models"]
    assert model["engine"] == "words"
    assert httpx.get(f"{server.url}/v2/models/topics").json()["platform"] == "bertline_words"
    assert re.search(r'bertline_model_info\{[^}]*engine="words"', httpx.get(f"{server.url}/metrics").text)


def test_the_encoder_still_embeds_and_words_are_explained(server: Spawned) -> None:
    (text, label), *_ = planted(1, seed=7)
    (row,) = post(server, "/v1/embeddings", {"model": "topics", "input": text})["data"]
    assert len(row["embedding"]) == 32
    explained = post(server, "/v1/explain", {"text": text})
    number = int(label.split()[1])
    assert max(explained["words"], key=lambda word: word["share"])["text"] in WORDS[2 * number : 2 * number + 2]


def test_the_inside_of_the_encoder_is_not_shown_for_it(server: Spawned) -> None:
    answered = httpx.post(f"{server.url}/v1/anatomy", json={"text": "is it at us"}, timeout=30)
    assert answered.status_code == 422
    assert answered.json()["error"]["message"] == (
        "topics answers with the engine words, which has no layers to look into: load it without that engine."
    )


def test_a_bundle_without_it_is_not_served_with_it(folder: Path, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    arguments = ["serve", str(tmp_path / "tiny"), "--port", "0", "--engine", "words"]
    code, said = Command(arguments, tmp_path / "said.txt").ended(60)
    assert code != 0
    assert "has no engine words: it has fp32, torch; bertline train keeps the linear model of words where" in said
