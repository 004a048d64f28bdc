"""KServe's first protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

PREDICT = "/v1/models/reviews:predict"


def test_the_label_of_each_instance(client: TestClient) -> None:
    answer = client.post(PREDICT, json={"instances": ["good", {"text": "bad"}]})
    assert (answer.status_code, answer.json()) == (200, {"predictions": ["positive", "negative"]})


def test_probabilities_on_request(client: TestClient) -> None:
    body = {"instances": ["good", "bad"], "parameters": {"return_probabilities": True}}
    high, low = pytest.approx(0.9), pytest.approx(0.1)
    assert client.post(PREDICT, json=body).json() == {
        "predictions": [{"negative": low, "positive": high}, {"negative": high, "positive": low}]
    }


def test_one_answer_has_the_keys_of_kserve_and_of_openai(client: TestClient) -> None:
    answer = client.get("/v1/models/reviews")
    assert answer.status_code == 200
    assert {"name": "reviews", "ready": True, "id": "reviews", "object": "model"}.items() <= answer.json().items()


def test_the_path_names_the_model() -> None:
    models = {"reviews": WordCounter(), "v1:final": WordCounter(("no", "yes"), name="final")}
    with TestClient(create_app(serving_of(models))) as client:
        until_ready(client)
        answer = client.post("/v1/models/v1:final:predict", json={"instances": ["good"]})
        unknown = client.post("/v1/models/nope:predict", json={"instances": ["good"]})
    assert answer.json() == {"predictions": ["yes"]}
    assert unknown.status_code == 404
    assert unknown.json() == {"error": "There is no model of that name: valid names are reviews, v1:final."}


# body → message
WRONG: list[tuple[Any, str]] = [
    (b"", "The body is not valid JSON: it is empty."),
    (b'{"instances": "\xff"}', "The body is not valid JSON: "),
    (b"[" * 10_000, "The body is not valid JSON: "),
    (b"null", "The body must be a JSON object."),
    ({}, "instances is missing: send it."),
    ({"instances": "good"}, "instances must be a list."),
    ({"instances": []}, "instances is an empty list: send at least one text."),
    ({"instances": ["good", " "]}, "instances[1] is only white space: send at least one word."),
    ({"instances": ["good", 3]}, 'instances[1] must be a string, or an object with one in "text".'),
    ({"instances": [{"data": "good"}]}, 'instances[0] must be a string, or an object with one in "text".'),
    ({"instances": ["good"] * 129}, "instances has 129 texts and the limit is 128: send them in several requests."),
    (
        {"instances": ["good"], "parameters": {"return_probabilities": 1}},
        "parameters.return_probabilities must be true or false.",
    ),
    ({"instances": ["good"], "parameters": 1}, "parameters must be a JSON object."),
]


@pytest.mark.parametrize(("body", "message"), WRONG)
def test_each_invalid_request_gets_its_own_sentence(client: TestClient, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(PREDICT, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


def test_only_json_is_taken(client: TestClient) -> None:
    answer = client.post(PREDICT, content=b'{"instances": ["good"]}', headers={"Content-Type": "text/plain"})
    assert (answer.status_code, set(answer.json())) == (415, {"error"})


def test_an_invalid_timeout_header_is_rejected(client: TestClient) -> None:
    answer = client.post(PREDICT, json={"instances": ["good"]}, headers={"X-Request-Timeout-Ms": "soon"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "X-Request-Timeout-Ms must be a positive number of milliseconds."}


# ------------------------------------------------------------------------------------- the descriptions of dialects

DIALECTS = ("openai", "open inference protocol", "kserve v1", "sagemaker")


@pytest.fixture
def operations(client: TestClient) -> dict[str, Any]:
    """Of the dialects here, from the description of the API."""
    paths = client.get("/openapi.json").json()["paths"]
    return {
        f"{verb.upper()} {path}": operation
        for path, verbs in paths.items()
        for verb, operation in verbs.items()
        if set(operation["tags"]) & set(DIALECTS)
    }


def test_the_dialects_are_described(operations: dict[str, Any]) -> None:
    assert set(operations) == {
        *("GET /v1/models/{name}", "POST /v1/models/{name}:predict", "POST /invocations"),
        *("POST /v1/embeddings", "POST /embeddings", "POST /classify"),
        *("GET /v2", "GET /v2/health/live", "GET /v2/health/ready", "GET /v2/models"),
        *("GET /v2/models/{name}", "GET /v2/models/{name}/versions/{version}"),
        *("GET /v2/models/{name}/ready", "GET /v2/models/{name}/versions/{version}/ready"),
        *("POST /v2/models/{name}/infer", "POST /v2/models/{name}/versions/{version}/infer"),
    }


def test_no_operation_describes_a_422(operations: dict[str, Any]) -> None:
    assert not [name for name, one in operations.items() if "422" in one["responses"]]


def test_the_example_of_each_body_is_answered(client: TestClient, operations: dict[str, Any]) -> None:
    asked = 0
    for name, one in operations.items():
        if "requestBody" in one:
            [example] = one["requestBody"]["content"]["application/json"]["schema"]["examples"]
            path = name.removeprefix("POST ").replace("{name}", "reviews").replace("{version}", "{}")
            version = client.get("/v2/models/reviews").json()["versions"][0]
            assert client.post(path.format(version), json=example).status_code == 200, name
            asked += 1
    assert asked == 7
