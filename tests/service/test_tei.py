"""What clients of Text Embeddings Inference send, and get."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.service.routes.tei import router as tei
from bertline.testing.words import TOPICS, WordCounter, serving_of
from tests.service.conftest import until_ready

GOOD = [
    {"score": pytest.approx(0.9), "label": "positive"},
    {"score": pytest.approx(0.1), "label": "negative"},
]
BAD = [
    {"score": pytest.approx(0.9), "label": "negative"},
    {"score": pytest.approx(0.1), "label": "positive"},
]
LONG = "good " + "word " * 28 + "bad"  # 30 tokens, and the model reads 14


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/predict", "/", "/models/reviews"])
@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("a good film", GOOD),
        (["a good film"], GOOD),
        ([["a good film"]], [GOOD]),
        ([["good"], ["bad"]], [GOOD, BAD]),
    ],
)
def test_one_text_has_a_flat_list_and_a_batch_a_nested_one(
    client: TestClient, path: str, inputs: object, expected: object
) -> None:
    assert post(client, path, inputs=inputs) == expected


def test_every_label_is_listed_without_the_bundles_temperature() -> None:
    model = WordCounter(TOPICS)
    model.write(model.bundle.parent / "warm", temperature=3.0)
    model._bundle = model.bundle.parent / "warm"
    with TestClient(create_app(serving_of({"topics": model}))) as client:
        until_ready(client)
        found = post(client, "/predict", inputs="good")
        logits = post(client, "/predict", inputs="good", raw_scores=True)
        own = post(client, "/v1/predict", text="good")["predictions"][0]["probabilities"]
    assert [one["label"] for one in found] == [one["label"] for one in logits]
    assert len(found) == 20
    assert found[0]["score"] == pytest.approx(0.81)
    assert [np.exp(one["score"]) for one in logits] == pytest.approx([one["score"] for one in found])
    assert own[0]["probability"] < 0.6  # 0.81 to the power of a third, over the sum of all of them


def test_several_labels_of_a_text_have_each_its_own_score() -> None:
    with TestClient(create_app(serving_of({"tags": WordCounter(several=True)}))) as client:
        found = post(until_ready(client), "/predict", inputs="a film")
    assert [one["score"] for one in found] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("how", "label"),
    [
        ({"truncation_direction": "right"}, "positive"),
        ({"truncation_direction": "Right", "truncate": True}, "positive"),
        ({"truncation_direction": "left"}, "negative"),
        ({"truncation_direction": "Left", "truncate": None}, "negative"),
    ],
)
def test_a_long_text_is_cut_at_the_side_that_is_named(client: TestClient, how: dict[str, Any], label: str) -> None:
    assert post(client, "/predict", inputs=LONG, **how)[0]["label"] == label


def test_without_a_side_the_bundles_own_policy_reads_head_and_tail(client: TestClient) -> None:
    scores = [one["score"] for one in post(client, "/predict", inputs=LONG)]
    assert scores == pytest.approx([0.5, 0.5])  # both words were read


def test_a_text_that_is_too_long_is_an_error_where_it_must_not_be_cut(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": LONG, "truncate": False})
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "inputs[0] has 32 tokens and reviews reads 16: send a part of it, or ask for another truncation.",
        "error_type": "Validation",
    }


def test_embeddings_have_unit_length_by_default(client: TestClient) -> None:
    assert post(client, "/embed", inputs="good good bad", normalize=False) == [[2.0, 1.0, 5.0]]
    [found] = post(client, "/embed", inputs="good good bad")
    assert found == pytest.approx((np.array([2, 1, 5]) / np.sqrt(30)).tolist())


def test_dimensions_cut_an_embedding_before_its_length_is_one(client: TestClient) -> None:
    [found] = post(client, "/embed", inputs="good good bad", dimensions=2)
    assert found == pytest.approx((np.array([2, 1]) / np.sqrt(5)).tolist())
    assert post(client, "/embed", inputs="good good bad", dimensions=2, normalize=False) == [[2.0, 1.0]]


def test_a_list_of_texts_is_a_batch_for_embeddings(client: TestClient) -> None:
    found = post(client, "/embed", inputs=["good", "bad bad"], normalize=False)
    assert found == [[1.0, 0.0, 3.0], [0.0, 2.0, 4.0]]


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_token_ids_embed_as_the_text_they_come_from(client: TestClient, path: str) -> None:
    text = "good [MASK] never bad"
    [tokens] = post(client, "/tokenize", inputs=text)
    ids = [one["id"] for one in tokens]
    expected = post(client, path, inputs=text, normalize=False)
    assert post(client, path, inputs=ids, normalize=False) == expected  # [UNK] and [MASK] are not lost
    assert post(client, path, inputs=[ids, text], normalize=False) == expected * 2


def test_every_token_has_its_state_of_its_own_text(client: TestClient) -> None:
    found = post(client, "/embed_all", inputs=["good", "bad good"])
    assert [[token[0] for token in text] for text in found] == [[2, 5, 3], [2, 6, 5, 3]]  # the double's states are ids


def test_states_of_more_tokens_than_an_answer_can_carry_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tei, "MOST_STATES", 8)
    assert len(post(client, "/embed_all", inputs=["good good", "bad good"])) == 2  # of 4 tokens each
    answer = client.post("/embed_all", json={"inputs": ["good bad", "bad good good"]})
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("inputs would take 9 tokens and the limit where each is answered is 8: ")


@pytest.mark.parametrize("path", ["/similarity", "/"])
def test_similarity_is_the_cosine_of_embeddings(client: TestClient, path: str) -> None:
    found = post(client, path, inputs={"source_sentence": "good", "sentences": ["good", "bad bad"]})
    one, other = np.array([1, 0, 3]), np.array([0, 2, 4])
    assert found == pytest.approx([1.0, one @ other / np.linalg.norm(one) / np.linalg.norm(other)])


def test_similarity_cuts_as_its_parameters_say(client: TestClient) -> None:
    asked = {"source_sentence": LONG, "sentences": ["good " + "word " * 13]}
    [head] = post(client, "/similarity", inputs=asked, parameters={"truncation_direction": "right"})
    [tail] = post(client, "/similarity", inputs=asked, parameters={"truncation_direction": "left"})
    assert head == pytest.approx(1.0)
    assert tail < 0.999
    refused = client.post("/similarity", json={"inputs": asked, "parameters": {"truncate": False}})
    assert (refused.status_code, refused.json()["error_type"]) == (413, "Validation")


def test_tokens_have_places_and_special_ones_have_none(client: TestClient) -> None:
    assert post(client, "/tokenize", inputs="Good, naïve") == [
        [
            {"id": 2, "text": "[CLS]", "special": True, "start": None, "stop": None},
            {"id": 5, "text": "Good", "special": False, "start": 0, "stop": 4},
            {"id": 1, "text": ",", "special": False, "start": 4, "stop": 5},
            {"id": 1, "text": "naïve", "special": False, "start": 6, "stop": 11},
            {"id": 3, "text": "[SEP]", "special": True, "start": None, "stop": None},
        ]
    ]
    found = post(client, "/tokenize", inputs=["good", "bad"], add_special_tokens=False)
    assert [[one["id"] for one in text] for text in found] == [[5], [6]]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"ids": [2, 5, 6, 3]}, ["good bad"]),
        ({"ids": [[2, 5, 3], [6]]}, ["good", "bad"]),
        ({"ids": [2, 5, 3], "skip_special_tokens": False}, ["[CLS] good [SEP]"]),
    ],
)
def test_ids_become_texts_again(client: TestClient, body: dict[str, Any], texts: list[str]) -> None:
    assert post(client, "/decode", **body) == texts


def test_info_describes_the_model(client: TestClient) -> None:
    [model] = client.get("/v1/models").json()["models"]
    found = client.get("/info").json()
    assert found == client.get("/models/reviews/info").json()
    assert found["model_type"] == {
        "classifier": {
            "id2label": {"0": "negative", "1": "positive"},
            "label2id": {"negative": 0, "positive": 1},
        }
    }
    assert (found["model_id"], found["model_sha"]) == ("reviews", model["version"])
    assert (found["max_input_length"], found["max_client_batch_size"], found["auto_truncate"]) == (16, 128, True)
    integers = ("max_concurrent_requests", "max_batch_tokens", "tokenization_workers")
    assert all(isinstance(found[one], int) and found[one] > 0 for one in integers)


def test_health_is_empty_or_503() -> None:
    serving = serving_of({"reviews": WordCounter()})
    with TestClient(create_app(serving)) as client:
        until_ready(client)
        for path in ("/health", "/ping", "/models/reviews/health"):
            answer = client.get(path)
            assert (answer.status_code, answer.content) == (200, b"")
        serving.draining = True
        for path in ("/health", "/ping", "/models/reviews/health"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (503, {"error": "unhealthy", "error_type": "Unhealthy"})


def test_headers_report_the_time_of_an_answer(client: TestClient) -> None:
    headers = client.post("/predict", json={"inputs": [["good film"], ["é"]]}).headers
    assert headers["x-compute-type"] == "cpu+optimized"
    assert (headers["x-compute-characters"], headers["x-compute-tokens"]) == ("10", "7")
    times = ("x-compute-time", "x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time")
    assert all(re.fullmatch(r"\d+", headers[one]) for one in times)
    assert headers["x-inference-time"] == "1"  # the double says one millisecond
    assert client.post("/embed", json={"inputs": [2, 5, 3]}).headers["x-compute-characters"] == "3"


def test_of_several_models_the_first_answers_unless_the_path_names_one() -> None:
    models = {"films": WordCounter(name="reviews"), "topics": WordCounter(TOPICS)}
    with TestClient(create_app(serving_of(models))) as client:
        until_ready(client)
        assert len(post(client, "/predict", inputs="good")) == 2
        assert len(post(client, "/models/topics", inputs="good")) == 20
        assert client.get("/info").json()["model_id"] == "films"
        assert client.get("/models/topics/info").json()["model_id"] == "topics"
