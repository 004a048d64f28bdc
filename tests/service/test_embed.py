"""Embeddings of an embedder over HTTP, through the clients that people have."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import huggingface_hub.constants
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI

from bertline.service import ServeSettings
from bertline.testing.words import WordCounter
from tests.service.live import live, warm

TEXTS = ["good bad", "good", "bad film"]
ROWS = np.array([[1.0, 1.0, 4.0], [1.0, 0.0, 3.0], [0.0, 1.0, 4.0]])  # good, bad, tokens with [CLS] and [SEP]
UNIT = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a server with an embedder that was trained for two dimensions, and a classifier."""
    task = {"task": "embed", "dimensions": [2]}
    embedder = WordCounter((), name="embedder", task=task)
    doubles = {"embedder": embedder, "reviews": WordCounter()}
    with live(doubles, settings=ServeSettings(max_batch_texts=8, max_chars=60, drain_s=0)) as one:
        yield warm(one)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may ask this machine, and has no token of somebody's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")


@pytest.fixture
def hugging_face(url: str) -> InferenceClient:
    return InferenceClient(model=url)


@pytest.fixture
def openai(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)


def post(url: str, path: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}{path}", json=body)


def test_feature_extraction_gives_unit_vectors_or_raw_ones(hugging_face: InferenceClient) -> None:
    np.testing.assert_allclose(hugging_face.feature_extraction(TEXTS), UNIT, atol=1e-6)
    np.testing.assert_allclose(hugging_face.feature_extraction(TEXTS, normalize=False), ROWS)
    short = hugging_face.feature_extraction("good bad", dimensions=2)
    np.testing.assert_allclose(short, [[np.sqrt(0.5), np.sqrt(0.5)]], atol=1e-6)


def test_sentence_similarity_gives_cosines(hugging_face: InferenceClient) -> None:
    cosines = hugging_face.sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
    np.testing.assert_allclose(cosines, UNIT[1:] @ UNIT[0], atol=1e-6)


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_openai_gets_floats_or_base64(openai: OpenAI, more: dict[str, Any]) -> None:
    answer = openai.embeddings.create(model="embedder", input=TEXTS, **more)
    got: list[Any] = [one.embedding for one in answer.data]
    if more.get("encoding_format") == "base64":
        got = [np.frombuffer(base64.b64decode(one), dtype="<f4") for one in got]
    np.testing.assert_allclose(np.array(got), UNIT, atol=1e-6)
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("embedder", 11, 11)


def test_a_length_that_it_was_trained_for_is_normalised_again(url: str, openai: OpenAI) -> None:
    answer = openai.embeddings.create(model="embedder", input="good bad", dimensions=2)
    np.testing.assert_allclose(answer.data[0].embedding, [np.sqrt(0.5)] * 2, atol=1e-6)
    trained = post(url, "/v1/embeddings", model="embedder", input="good", dimensions=2)
    assert "X-Warning" not in trained.headers
    assert "X-Warning" not in post(url, "/v1/embeddings", model="embedder", input="good", dimensions=3).headers


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embed"])
def test_another_length_is_noted_and_a_longer_one_refused(url: str, path: str) -> None:
    texts = {"input": "good", "model": "embedder"} if path.startswith("/v1") else {"inputs": "good"}
    short = post(url, path, **texts, dimensions=1)
    assert short.status_code == 200
    assert short.headers["X-Warning"] == "dimensions: the model was not trained for 1"
    assert "dimensions must be at most 3, the model's width." in post(url, path, **texts, dimensions=4).text


def test_tei_embeds_at_the_root_too(url: str) -> None:
    for path in ("/embed", "/", "/models/embedder"):
        np.testing.assert_allclose(post(url, path, inputs=TEXTS).json(), UNIT, atol=1e-6)
    np.testing.assert_allclose(post(url, "/", inputs="good", parameters={}).json(), UNIT[1:2], atol=1e-6)
    body = {"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}
    for path in ("/similarity", "/"):
        np.testing.assert_allclose(post(url, path, inputs=body).json(), UNIT[1:] @ UNIT[0], atol=1e-6)
    assert post(url, "/models/reviews", inputs="good").json()[0]["label"] == "positive"


def test_tei_knows_it_as_a_model_for_embeddings(url: str) -> None:
    assert httpx.get(f"{url}/info").json()["model_type"] == {"embedding": {"pooling": "cls"}}


def test_its_own_api_gives_the_embedding(url: str) -> None:
    answer = post(url, "/v1/predict", model="embedder", text="good bad").json()
    (prediction,) = answer["predictions"]
    np.testing.assert_allclose(prediction.pop("embedding"), UNIT[0], atol=1e-6)
    assert prediction == {"read_tokens": 4, "cut_tokens": 0}
    models = {one["name"]: one["task"] for one in httpx.get(f"{url}/v1/models").json()["models"]}
    assert (models["embedder"]["task"], models["embedder"]["dimensions"]) == ("embed", [2])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", {"inputs": "good"}, 424),
        ("/rerank", {"query": "good", "texts": ["bad"]}, 424),
        ("/classify", {"model": "embedder", "input": "good"}, 400),
    ],
)
def test_what_it_does_not_do_is_refused(url: str, path: str, body: dict[str, Any], status: int) -> None:
    answer = post(url, path, **body)
    assert (answer.status_code, "embedder" in answer.text) == (status, True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": ["good"] * 9}, "inputs has 9 texts and the limit is 8"),
        ({"inputs": "good " * 20}, "inputs[0] has 100 characters and the limit is 60"),
    ],
)
def test_a_request_has_limits(url: str, body: dict[str, Any], message: str) -> None:
    answer = post(url, "/embed", **body)
    assert (answer.status_code, message in answer.json()["error"]) == (413, True), answer.text


def test_embedded_texts_are_counted(url: str) -> None:
    def count() -> float:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        texts = [one for one in lines if one.startswith("bertline_texts_total{")]
        (own,) = [one for one in texts if 'model="embedder"' in one and 'op="embed"' in one]
        return float(own.rpartition(" ")[2])

    post(url, "/embed", inputs="good")
    before = count()
    post(url, "/embed", inputs=TEXTS)
    assert count() == before + 3
