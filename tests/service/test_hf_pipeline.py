"""Scores and embeddings are those of ``transformers`` on the same bundle, through real processes and engines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub.constants
import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import InferenceClient
from starlette.testclient import TestClient

from bertline.bundle import writing
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.serving.serving import Serving
from bertline.testing.tiny import TEXTS, random_texts, write_tiny_bundle
from tests.service.conftest import until_ready
from tests.service.spawn import spawned

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TOLERANCE = 1e-5
ASKED = [text for text in TEXTS if text] + random_texts(6)
SHORT = [text for text in ASKED if len(text) < 40]  # the pipeline reads no text that is too long unless told to cut it
FUNCTIONS = (None, "softmax", "sigmoid", "none")


def write_bundle(target: Path, kind: str) -> None:
    """A tiny bundle whose ``config.json`` says what a text may have: one label, or several."""
    manifest = write_tiny_bundle(target.with_name("plain"), engine=True)
    with writing(target, manifest) as staging:
        shutil.copytree(
            target.with_name("plain"), staging, ignore=shutil.ignore_patterns("bertline.json"), dirs_exist_ok=True
        )
        config = json.loads((staging / "config.json").read_text())
        (staging / "config.json").write_text(json.dumps({**config, "problem_type": kind}))


@pytest.fixture(scope="module", params=["single_label_classification", "multi_label_classification"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Any]]:
    """The service, and the pipeline, on one bundle."""
    bundle = tmp_path_factory.mktemp("bundle") / "tiny"
    write_bundle(bundle, request.param)
    pipeline = transformers.pipeline("text-classification", model=str(bundle), device="cpu")
    serving = Serving({"tiny": bundle}, ServeSettings(drain_s=0, lanes=1))
    with TestClient(create_app(serving)) as client:
        yield until_ready(client), pipeline


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def same(found: list[list[dict[str, Any]]], expected: list[list[dict[str, Any]]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert [label["label"] for label in one] == [label["label"] for label in other]
        assert [label["score"] for label in one] == pytest.approx([label["score"] for label in other], abs=TOLERANCE)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("top_k", [None, 2])
def test_scores_are_the_pipelines(both: tuple[TestClient, Any], function: str | None, top_k: int | None) -> None:
    client, pipeline = both
    parameters = {"top_k": top_k, "function_to_apply": function}
    found = post(client, "/", inputs=SHORT, parameters=parameters)
    same(found, [pipeline(text, **parameters) for text in SHORT])


@pytest.mark.parametrize("how", [{"truncation": True}, {"truncation": True, "max_length": 8}])
def test_long_texts_are_cut_as_the_pipeline_cuts_them(both: tuple[TestClient, Any], how: dict[str, Any]) -> None:
    client, pipeline = both
    found = post(client, "/", inputs=ASKED, parameters=how)
    same(found, [pipeline(text, top_k=None, **how) for text in ASKED])


def test_teis_scores_are_the_same_ones(both: tuple[TestClient, Any]) -> None:
    client, pipeline = both
    found = post(client, "/predict", inputs=[[text] for text in ASKED], truncation_direction="right")
    same(found, [pipeline(text, top_k=None, truncation=True) for text in ASKED])
    logits = post(client, "/predict", inputs=[[text] for text in SHORT], raw_scores=True)
    same(logits, [pipeline(text, top_k=None, function_to_apply="none") for text in SHORT])


def test_the_services_own_answer_is_calibrated_and_this_one_is_not(both: tuple[TestClient, Any]) -> None:
    client, _ = both
    own = post(client, "/v1/predict", text=ASKED[0])["predictions"][0]["probabilities"][0]["probability"]
    [[first, *_]] = post(client, "/", inputs=ASKED[0], parameters={})
    assert abs(own - first["score"]) > 100 * TOLERANCE  # the bundle's temperature is 1.5


def test_embeddings_are_the_mean_of_transformers_states(both: tuple[TestClient, Any]) -> None:
    client, pipeline = both
    tokenizer, encoder = pipeline.tokenizer, pipeline.model.bert
    states: list[np.ndarray[Any, Any]] = []
    with torch.inference_mode():
        for text in ASKED:
            states.append(encoder(**tokenizer(text, return_tensors="pt", truncation=True)).last_hidden_state[0].numpy())
    how = {"truncation_direction": "right", "truncate": True}
    each = post(client, "/embed_all", inputs=ASKED, **how)
    for one, expected in zip(each, states, strict=True):
        np.testing.assert_allclose(np.array(one), expected, atol=TOLERANCE)
    means = np.stack([one.mean(0) for one in states])
    np.testing.assert_allclose(post(client, "/embed", inputs=ASKED, normalize=False, **how), means, atol=TOLERANCE)
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(post(client, "/embed", inputs=ASKED, **how), unit, atol=TOLERANCE)


def test_token_ids_equal_transformers(both: tuple[TestClient, Any]) -> None:
    client, pipeline = both
    found = post(client, "/tokenize", inputs=ASKED)
    assert [[token["id"] for token in text] for text in found] == [pipeline.tokenizer(text).input_ids for text in ASKED]
    vectors = post(client, "/embed", inputs=[pipeline.tokenizer(text).input_ids for text in ASKED])
    np.testing.assert_allclose(vectors, post(client, "/embed", inputs=ASKED), atol=TOLERANCE)


def test_several_labels_through_the_real_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sigmoid of each label's logit, all labels; and through TEI's address alike."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")
    bundle = tmp_path / "tiny"
    write_bundle(bundle, "multi_label_classification")
    pipeline = transformers.pipeline("text-classification", model=str(bundle), device="cpu")
    with spawned(f"tiny={bundle}") as process:
        client = InferenceClient(model=process.url)
        for text in SHORT:
            expected = pipeline(text, top_k=None)
            assert abs(sum(one["score"] for one in expected) - 1) > TOLERANCE  # no softmax
            found = [{"label": one.label, "score": one.score} for one in client.text_classification(text)]
            tei = httpx.post(f"{process.url}/predict", json={"inputs": text}, timeout=30).json()
            same([found, tei], [expected, expected])
