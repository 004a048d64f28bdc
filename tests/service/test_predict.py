"""POST /v1/predict: what a text gets for an answer."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.testing.words import TOPICS, Gated, WordCounter, serving_of
from tests.service.conftest import until_ready


def test_one_text(client: TestClient, model: WordCounter) -> None:
    answer = client.post("/v1/predict", json={"text": "a good film"})
    assert answer.status_code == 200
    assert answer.json() == {
        "model": {"name": "reviews", "version": model.version},
        "predictions": [
            {
                "label": "positive",
                "probabilities": [
                    {"label": "positive", "probability": pytest.approx(0.9)},
                    {"label": "negative", "probability": pytest.approx(0.1)},
                ],
                "read_tokens": 5,
                "cut_tokens": 0,
            }
        ],
    }


def test_several_texts_are_one_call_of_the_model_and_keep_their_order(client: TestClient, model: WordCounter) -> None:
    model.batches.clear()
    answer = client.post("/v1/predict", json={"texts": ["good", "bad", "so"]})
    assert [one["label"] for one in answer.json()["predictions"]] == ["positive", "negative", "negative"]
    assert model.batches == [[3, 3, 3]]


def test_texts_of_other_lengths_are_other_calls_and_keep_their_order(client: TestClient, model: WordCounter) -> None:
    model.batches.clear()
    texts = ["good", "bad " * 12, "so", "good " * 12]
    answer = client.post("/v1/predict", json={"texts": texts})
    assert [one["label"] for one in answer.json()["predictions"]] == ["positive", "negative", "negative", "positive"]
    assert sorted(model.batches) == [[3, 3], [14, 14]]


def test_truncated_texts_are_listed(client: TestClient) -> None:
    [prediction] = client.post("/v1/predict", json={"text": "word " * 20}).json()["predictions"]
    assert (prediction["read_tokens"], prediction["cut_tokens"]) == (16, 6)


@pytest.mark.parametrize(
    ("truncation", "label"),
    [("head", "positive"), ("tail", "negative"), ("head_tail", "negative"), (None, "negative")],
)
def test_the_request_may_choose_the_truncation(client: TestClient, truncation: str | None, label: str) -> None:
    text = "good " * 10 + "bad " * 20  # of 14 tokens: ten good, none, three, three
    [prediction] = client.post("/v1/predict", json={"text": text, "truncation": truncation}).json()["predictions"]
    assert prediction["label"] == label
    assert (prediction["read_tokens"], prediction["cut_tokens"]) == (16, 16)


def test_windows_read_everything_and_are_averaged(client: TestClient, model: WordCounter) -> None:
    model.batches.clear()
    text = "good " * 14 + "bad " * 14
    [prediction] = client.post("/v1/predict", json={"text": text, "truncation": "window"}).json()["predictions"]
    assert model.batches == [[16, 16, 16]]
    assert (prediction["read_tokens"], prediction["cut_tokens"], prediction["windows"]) == (30, 0, 3)
    # Windows of 14, 3 and no word good, and 0, 11 and 14 bad: the mean of their logits.
    good, bad = (113 * 25 * 1) ** (1 / 3), (1 * 89 * 113) ** (1 / 3)
    assert prediction["label"] == "negative"
    assert prediction["probabilities"][0]["probability"] == pytest.approx(bad / (good + bad))


def test_a_text_may_have_several_labels() -> None:
    model = WordCounter(several=True)
    with TestClient(create_app(serving_of({"topics": model}))) as client:
        asked = {"texts": ["good", "good bad", "bad"]}
        answers = until_ready(client).post("/v1/predict", json=asked).json()["predictions"]
    assert [set(one["labels"]) for one in answers] == [{"positive"}, {"positive", "negative"}, {"negative"}]
    assert [one["probability"] for one in answers[1]["probabilities"]] == [pytest.approx(0.5)] * 2


@pytest.mark.parametrize(("top_k", "listed"), [(None, 20), (1, 1), (3, 3), (20, 20), (10**30, 20)])
def test_top_k_shortens_the_list_and_keeps_the_most_probable_first(top_k: int | None, listed: int) -> None:
    with TestClient(create_app(serving_of({"topics": WordCounter(TOPICS)}))) as client:
        answer = until_ready(client).post("/v1/predict", json={"text": "good", "top_k": top_k})
    probabilities = [one["probability"] for one in answer.json()["predictions"][0]["probabilities"]]
    assert len(probabilities) == listed
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_text_of_any_characters_is_answered(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"text": "  naïve 東京 🙂\r\n\x00 good  "})
    assert answer.json()["predictions"][0]["label"] == "positive"


def test_the_headers_have_the_model_and_the_times(client: TestClient, model: WordCounter) -> None:
    answer = client.post("/v1/predict", json={"text": "good"})
    parts = r"tokenise;dur=\d+\.\d\d, waiting;dur=\d+\.\d\d, inference;dur=\d+\.\d\d"
    assert re.fullmatch(parts, answer.headers["Server-Timing"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.headers["X-Model"], answer.headers["X-Model-Version"]) == ("reviews", model.version)


def test_a_content_type_may_have_parameters(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/predict", content='{"text": "é"}'.encode(), headers=headers).status_code == 200


def test_of_several_models_the_request_names_one() -> None:
    models = {"films": WordCounter(name="reviews"), "topics": WordCounter(TOPICS)}
    with TestClient(create_app(serving_of(models))) as client:
        until_ready(client)
        answer = client.post("/v1/predict", json={"text": "good", "model": "topics"}).json()
        unnamed = client.post("/v1/predict", json={"text": "good"})
    assert answer["model"]["name"] == "topics"
    assert len(answer["predictions"][0]["probabilities"]) == 20
    assert unnamed.status_code == 422
    assert unnamed.json()["error"] == {
        "code": "missing_field",
        "message": "Name one of the models in model: films, topics.",
        "field": "model",
    }


def test_the_event_loop_answers_while_the_model_computes() -> None:
    model = Gated()
    model.gate.set()
    with TestClient(create_app(serving_of({"slow": model}))) as client, ThreadPoolExecutor(1) as other:
        until_ready(client)
        model.gate.clear()
        model.entered.clear()
        answer = other.submit(client.post, "/v1/predict", json={"text": "good"})
        assert model.entered.wait(timeout=30)
        assert client.get("/health/live").status_code == 200
        assert not answer.done()
        model.gate.set()
        assert answer.result(timeout=30).status_code == 200


def test_texts_that_came_while_one_was_computed_are_computed_together() -> None:
    model = Gated()
    model.gate.set()
    serving = serving_of({"slow": model}, ServeSettings(lanes=1))
    with TestClient(create_app(serving)) as client, ThreadPoolExecutor(9) as many:
        until_ready(client)
        line = serving.models.named("slow").line("logits")
        model.gate.clear()
        model.entered.clear()
        model.batches.clear()
        answers = [many.submit(client.post, "/v1/predict", json={"text": "bad"})]
        assert model.entered.wait(timeout=30)
        answers += [many.submit(client.post, "/v1/predict", json={"text": "good"}) for _ in range(8)]
        while line.queue.texts < 8:
            assert client.get("/health/live").status_code == 200
        model.gate.set()
        labels = [one.result(timeout=30).json()["predictions"][0]["label"] for one in answers]
    assert labels == ["negative"] + ["positive"] * 8
    assert model.batches == [[3], [3] * 8]


def test_tokens_are_shown_with_their_places_in_the_text(client: TestClient, model: WordCounter) -> None:
    answer = client.post("/v1/tokenize", json={"texts": ["Good, bad", "é" * 3 + " good" * 20]}).json()
    assert answer["model"] == {"name": "reviews", "version": model.version}
    first, second = answer["texts"]
    assert [(one["token"], one["start"], one["end"]) for one in first["tokens"]] == [
        ("good", 0, 4),
        ("[UNK]", 4, 5),
        ("bad", 6, 9),
    ]
    assert (first["read_tokens"], first["cut_tokens"]) == (5, 0)
    assert (second["tokens"][0]["start"], second["tokens"][0]["end"]) == (0, 3)  # characters, not bytes
    assert (len(second["tokens"]), second["read_tokens"], second["cut_tokens"]) == (21, 16, 7)
