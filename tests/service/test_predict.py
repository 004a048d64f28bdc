"""POST /v1/predict: what a text gets for an answer."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import current_thread

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.serving import WARM_UP_TEXT
from tests.service.doubles import TOPICS, Gated, WordCounter


def test_one_text(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"text": "a good film"})
    assert answer.status_code == 200
    assert answer.json() == {
        "model": {"name": "reviews", "version": "3f2a9c1e"},
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
    texts = ["good", "bad", "so so"]
    answer = client.post("/v1/predict", json={"texts": texts})
    assert [one["label"] for one in answer.json()["predictions"]] == ["positive", "negative", "negative"]
    assert model.asked == [[WARM_UP_TEXT], texts]


def test_what_was_cut_is_said(client: TestClient) -> None:
    [prediction] = client.post("/v1/predict", json={"text": "word " * 20}).json()["predictions"]
    assert (prediction["read_tokens"], prediction["cut_tokens"]) == (16, 6)


@pytest.mark.parametrize(("top_k", "listed"), [(None, 20), (1, 1), (3, 3), (20, 20), (10**30, 20)])
def test_top_k_shortens_the_list_and_keeps_the_most_probable_first(top_k: int | None, listed: int) -> None:
    with TestClient(create_app({"topics": WordCounter(TOPICS)}, ServeSettings())) as client:
        answer = client.post("/v1/predict", json={"text": "good", "top_k": top_k})
    probabilities = [one["probability"] for one in answer.json()["predictions"][0]["probabilities"]]
    assert len(probabilities) == listed
    assert probabilities == sorted(probabilities, reverse=True)


def test_text_comes_back_in_no_other_form_than_it_was_sent(client: TestClient, model: WordCounter) -> None:
    text = "  naïve 東京 🙂\r\n\x00 good  "
    assert client.post("/v1/predict", json={"text": text}).status_code == 200
    assert model.asked[-1] == [text]


def test_the_time_it_took_is_in_the_server_timing_header(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"text": "good"})
    assert re.fullmatch(r"waiting;dur=\d+\.\d, inference;dur=\d+\.\d", answer.headers["Server-Timing"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_content_type_may_have_parameters(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/predict", content='{"text": "é"}'.encode(), headers=headers).status_code == 200


def test_of_several_models_the_request_names_one() -> None:
    models = {"films": WordCounter(name="reviews"), "topics": WordCounter(TOPICS)}
    with TestClient(create_app(models, ServeSettings())) as client:
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
    with TestClient(create_app({"slow": model}, ServeSettings())) as client, ThreadPoolExecutor(1) as other:
        assert model.entered.wait(timeout=30)
        answer = other.submit(client.post, "/v1/predict", json={"text": "good"})
        assert client.get("/health/live").status_code == 200
        assert not answer.done()
        model.gate.set()
        assert answer.result(timeout=30).status_code == 200


def test_every_answer_comes_from_the_one_inference_thread() -> None:
    names: list[str] = []

    class Watching(WordCounter):
        def predict(self, texts):  # type: ignore[no-untyped-def]
            names.append(current_thread().name)
            return super().predict(texts)

    with TestClient(create_app({"a": Watching()}, ServeSettings())) as client, ThreadPoolExecutor(4) as many:
        list(many.map(lambda _: client.post("/v1/predict", json={"text": "good"}), range(8)))
    assert set(names) == {"inference_0"}
    assert len(names) == 9
