"""The real ``huggingface_hub.InferenceClient``, unmodified, against the real server on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from bertline.testing.words import TOPICS, WordCounter
from tests.service.live import live, warm

LONG = "good " + "word " * 28 + "bad"  # 30 tokens, and the model reads 14


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a server with two models."""
    with live({"reviews": WordCounter(), "topics": WordCounter(TOPICS, name="topics")}) as one:
        yield warm(one)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may ask this machine, and has no token of somebody's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")


@pytest.fixture
def client(url: str) -> InferenceClient:
    return InferenceClient(model=url)


def test_text_classification_lists_all_labels(client: InferenceClient) -> None:
    found = client.text_classification("a good film")
    assert [(one.label, one.score) for one in found] == [
        ("positive", pytest.approx(0.9)),
        ("negative", pytest.approx(0.1)),
    ]


def test_text_classification_with_top_k_and_a_function(url: str) -> None:
    found = InferenceClient(model=f"{url}/models/topics").text_classification("good", top_k=2, function_to_apply="none")
    assert len(found) == 2
    assert found[0].label == TOPICS[1]
    assert np.exp(found[0].score) == pytest.approx(0.81)


@pytest.mark.parametrize("path", ["", "/models/reviews", "/models/reviews/pipeline/text-classification"])
def test_each_model_has_its_own_path(url: str, path: str) -> None:
    assert len(InferenceClient(base_url=f"{url}{path}").text_classification("good")) == 2


@pytest.mark.parametrize("path", ["", "/embed", "/models/reviews", "/models/reviews/pipeline/feature-extraction"])
@pytest.mark.parametrize("text", ["good bad", ["good bad"], ["good bad"] * 2, ["good bad"] * 3])
def test_feature_extraction_gives_a_row_for_each_text(url: str, path: str, text: Any) -> None:
    found = InferenceClient(model=f"{url}{path}").feature_extraction(text)
    rows = 1 if isinstance(text, str) else len(text)
    assert (found.dtype, found.shape) == (np.float32, (rows, 3))
    assert found == pytest.approx(np.array([[1, 1, 4]] * rows) / np.sqrt(18))


def test_feature_extraction_with_every_parameter(client: InferenceClient) -> None:
    assert client.feature_extraction("good bad", normalize=False).tolist() == [[1.0, 1.0, 4.0]]
    assert client.feature_extraction("good bad", normalize=False, dimensions=2).tolist() == [[1.0, 1.0]]
    for direction, counts in (("right", [1, 0]), ("left", [0, 1])):
        found = client.feature_extraction(LONG, normalize=False, truncate=True, truncation_direction=direction)
        assert found[0, :2].tolist() == counts
    with pytest.raises(HfHubHTTPError, match=r"inputs\[0\] has 32 tokens and reviews reads 16"):
        client.feature_extraction(LONG, truncate=False)
    with pytest.raises(HfHubHTTPError, match="The model has no prompts: leave prompt_name out"):
        client.feature_extraction("good", prompt_name="query")


def test_sentence_similarity(client: InferenceClient) -> None:
    one, other = np.array([1, 0, 3]), np.array([0, 2, 4])
    expected = [1.0, one @ other / np.linalg.norm(one) / np.linalg.norm(other)]
    assert client.sentence_similarity("good", other_sentences=["good", "bad bad"]) == pytest.approx(expected)


def test_an_error_has_its_sentence_status_and_the_number_of_the_request(client: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match=r"inputs\[0\] is empty: send at least one word") as caught:
        client.text_classification("")
    response = caught.value.response
    assert response.status_code == 400
    assert caught.value.request_id == response.request.headers["X-Amzn-Trace-Id"]


def test_tasks_that_the_model_does_not_do_are_refused_and_not_answered(client: InferenceClient) -> None:
    with pytest.raises(
        HfHubHTTPError, match="is a parameter of zero-shot-classification, and this model classifies and embeds texts"
    ):
        client.zero_shot_classification("good", candidate_labels=["a", "b"])
    with pytest.raises(
        HfHubHTTPError, match="is a parameter of token-classification, and this model classifies and embeds texts"
    ):
        client.token_classification("good", aggregation_strategy="simple")
    with pytest.raises(HfHubHTTPError, match="source_sentence is missing"):
        client.question_answering(question="good?", context="bad")


def test_an_unknown_model_is_named_with_the_known_ones(url: str) -> None:
    with pytest.raises(
        HfHubHTTPError, match="There is no model of that name: valid names are reviews, topics"
    ) as caught:
        InferenceClient(model=f"{url}/models/other").text_classification("good")
    assert caught.value.response.status_code == 404


@pytest.mark.parametrize(("path", "name"), [("", "reviews"), ("/models/topics", "topics")])
def test_info_and_health_of_an_endpoint(url: str, path: str, name: str) -> None:
    client = InferenceClient(model=f"{url}{path}", provider="hf-inference")
    assert client.health_check() is True
    assert client.get_endpoint_info()["model_id"] == name


def test_the_client_for_asyncio(url: str) -> None:
    async def ask() -> tuple[Any, Any]:
        async with AsyncInferenceClient(model=url) as client:
            return await asyncio.gather(client.text_classification("good"), client.feature_extraction(["good", "bad"]))

    scores, vectors = asyncio.run(ask())
    assert scores[0].label == "positive"
    assert vectors.shape == (2, 3)
