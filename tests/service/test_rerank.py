"""Texts ranked over HTTP, as clients of TEI and of Cohere send them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.testing.words import WordCounter, WordRanker, serving_of
from tests.service.conftest import until_ready

QUERY, TEXTS = "something good", ["bad", "good good", "so", "good"]
LOGITS = [-1.0, 2.0, 0.0, 1.0]
ORDER = [1, 3, 2, 0]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    doubles = {"ranker": WordRanker(), "grader": WordRanker(3.0, name="grader"), "reviews": WordCounter()}
    with TestClient(create_app(serving_of(doubles, settings=ServeSettings(max_batch_texts=8, max_chars=60)))) as client:
        yield until_ready(client)


def sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_tei_gets_places_and_scores_the_most_relevant_first(client: TestClient) -> None:
    answer = client.post("/rerank", json={"query": QUERY, "texts": TEXTS})
    assert answer.status_code == 200, answer.text
    assert [one["index"] for one in answer.json()] == ORDER
    assert [one["score"] for one in answer.json()] == pytest.approx([sigmoid(LOGITS[i]) for i in ORDER])
    assert {*answer.json()[0]} == {"index", "score"}
    assert answer.headers["x-compute-characters"] == str(sum(map(len, [QUERY, *TEXTS])))
    raw = client.post("/rerank", json={"query": QUERY, "texts": TEXTS, "raw_scores": True, "return_text": True}).json()
    assert raw == [{"index": i, "score": LOGITS[i], "text": TEXTS[i]} for i in ORDER]


def test_equal_scores_keep_their_order(client: TestClient) -> None:
    same = client.post("/rerank", json={"query": QUERY, "texts": ["so", "good", "and"]}).json()
    assert [one["index"] for one in same] == [1, 0, 2]


def test_tei_knows_it_as_a_reranker(client: TestClient) -> None:
    assert client.get("/info").json()["model_type"] == {
        "reranker": {"id2label": {"0": "score"}, "label2id": {"score": 0}}
    }


@pytest.mark.parametrize("version", ["1", "2"])
def test_cohere_gets_results_with_its_version(client: TestClient, version: str) -> None:
    body = {"model": "ranker", "query": QUERY, "documents": TEXTS, "top_n": 3}
    answer = client.post(f"/v{version}/rerank", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert content.keys() == {"id", "results", "meta"}
    assert content["results"] == [{"index": i, "relevance_score": pytest.approx(sigmoid(LOGITS[i]))} for i in ORDER[:3]]
    assert content["meta"]["api_version"] == {"version": version}
    assert content["meta"]["tokens"]["input_tokens"] == 4 * 5 + 5  # [CLS], a query of two, two [SEP]; and the words
    objects = [{"text": text, "title": "x"} for text in TEXTS]
    again = client.post(f"/v{version}/rerank", json={**body, "documents": objects, "return_documents": True})
    assert [one["document"] for one in again.json()["results"]] == [{"text": TEXTS[i]} for i in ORDER[:3]]
    assert again.headers["X-Warning"] == "ignored: documents[].title"


def test_a_ranker_of_grades_answers_grades(client: TestClient) -> None:
    body = {"model": "grader", "query": QUERY, "documents": TEXTS}
    results = client.post("/v2/rerank", json=body).json()["results"]
    assert [one["relevance_score"] for one in results] == [LOGITS[i] for i in ORDER]


def test_our_own_api_and_the_pipeline_score_pairs(client: TestClient) -> None:
    pairs = [{"text": QUERY, "text_pair": text} for text in TEXTS]
    own = client.post("/v1/predict", json={"texts": pairs, "model": "ranker"}).json()["predictions"]
    assert [one["score"] for one in own] == pytest.approx([*map(sigmoid, LOGITS)])
    assert {*own[0]} == {"score", "read_tokens", "cut_tokens"}
    theirs = client.post("/models/ranker/pipeline/text-classification", json={"inputs": pairs, "parameters": {}})
    assert [one for [one] in theirs.json()] == [
        {"label": "score", "score": pytest.approx(sigmoid(logit))} for logit in LOGITS
    ]


NO_RANKER = "reviews is a model for the task classify and ranks no texts: use /v1/predict, "
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"texts": []}, "Empty", "{field} is an empty list: send at least one text."),
    ({"texts": ["so"] * 9}, "Validation", "{field} has 9 texts and the limit is 8: send them in several requests."),
    (
        {"texts": ["so", "\u200b"]},
        "Empty",
        "{field}[1] has only characters that the model does not read (U+200B): send",
    ),
    ({"query": " "}, "Empty", "query is only white space: send at least one word."),
    ({"texts": ["so", "x" * 61]}, "Validation", "{field}[1] has 61 characters and the limit is 60: send a part of it."),
    ({"query": "x" * 61}, "Validation", "query has 61 characters and the limit is 60: send a part of it."),
    ({"query": None}, "Validation", "query must be a string."),
    ({"texts": "so"}, "Validation", "{field} must be a list of"),
]


@pytest.mark.parametrize(("change", "kind", "message"), REFUSED)
def test_faults_are_named_in_each_dialect(client: TestClient, change: dict[str, Any], kind: str, message: str) -> None:
    body = {"query": QUERY, "texts": TEXTS} | change
    theirs = client.post("/rerank", json=body)
    assert theirs.json()["error_type"] == kind
    assert theirs.json()["error"].startswith(message.format(field="texts"))
    cohere = client.post("/v2/rerank", json={"query": body["query"], "documents": body["texts"], "model": "ranker"})
    assert cohere.status_code == 400
    assert cohere.json().keys() == {"message"}
    assert cohere.json()["message"].startswith(message.format(field="documents"))


@pytest.mark.parametrize(
    ("route", "texts"), [("/rerank", "texts"), ("/v1/rerank", "documents"), ("/v2/rerank", "documents")]
)
def test_an_unknown_field_is_ignored_and_named(client: TestClient, route: str, texts: str) -> None:
    body = {"query": QUERY, texts: TEXTS, "retrun_text": True, **({} if texts == "texts" else {"model": "ranker"})}
    answer = client.post(route, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Warning"].startswith("ignored: retrun_text")


def test_errors_that_only_cohere_has(client: TestClient) -> None:
    body = {"model": "ranker", "query": QUERY, "documents": TEXTS}
    for change, status, message in (
        ({"top_n": 0}, 400, "top_n must be at least 1."),
        ({"rank_fields": ["title"]}, 400, 'rank_fields can only be ["text"]: send each document as one text.'),
        ({"documents": ["so", {"title": "x"}]}, 400, "documents must be a list of texts, or of objects as in"),
        ({"documents": [{"text": " "}]}, 400, "documents[0].text is only white space"),
        ({"model": "nobody"}, 404, "There is no model of that name: valid names are ranker, grader, reviews."),
        ({"model": "reviews"}, 400, NO_RANKER),
    ):
        answer = client.post("/v1/rerank", json=body | change)
        assert (answer.status_code, answer.json().keys()) == (status, {"message"})
        assert answer.json()["message"].startswith(message)
    missing = client.post("/v1/rerank", json={"query": QUERY})
    assert missing.json() == {"message": "documents is missing: send it."}
