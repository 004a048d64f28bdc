"""The dialect of Hugging Face's pipelines, and whose client asks at an address that two of them share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.testing.words import TOPICS, WordCounter, serving_of
from tests.service.conftest import until_ready

CLASSIFY = "/models/reviews/pipeline/text-classification"
LONG = "good " + "word " * 28 + "bad"  # 30 tokens, and the model reads 14
CLIENT = "unknown/None; hf_hub/2.4.0; python/3.11.7"


@pytest.fixture
def topics() -> Iterator[TestClient]:
    with TestClient(create_app(serving_of({"reviews": WordCounter(TOPICS)}))) as one:
        yield until_ready(one)


def post(client: TestClient, path: str, *, user_agent: str = "other/1", **body: Any) -> Any:
    answer = client.post(path, json=body, headers={"User-Agent": user_agent})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", [CLASSIFY, "/", "/models/reviews"])
@pytest.mark.parametrize(("inputs", "labels"), [("good", ["positive"]), (["good", "bad"], ["positive", "negative"])])
def test_each_text_has_a_list_of_its_own_also_a_single_one(
    client: TestClient, path: str, inputs: object, labels: list[str]
) -> None:
    found = post(client, path, inputs=inputs, parameters={})
    assert [one[0]["label"] for one in found] == labels
    assert [one[0]["score"] for one in found] == pytest.approx([0.9] * len(labels))


@pytest.mark.parametrize(("top_k", "listed"), [(None, 20), (1, 1), (3, 3), (50, 20)])
def test_top_k_shortens_the_list(topics: TestClient, top_k: int | None, listed: int) -> None:
    [found] = post(topics, "/", inputs="good", parameters={"top_k": top_k})
    scores = [one["score"] for one in found]
    assert len(scores) == listed
    assert scores == sorted(scores, reverse=True)


def test_a_function_from_logits_to_scores_may_be_named(client: TestClient) -> None:
    by_name = {
        name: [one["score"] for one in post(client, "/", inputs="good", parameters={"function_to_apply": name})[0]]
        for name in ("none", "softmax", "sigmoid")
    }
    logits = np.log([0.9, 0.1])
    assert by_name["none"] == pytest.approx(logits.tolist())
    assert by_name["softmax"] == pytest.approx([0.9, 0.1])
    assert by_name["sigmoid"] == pytest.approx((1 / (1 + np.exp(-logits))).tolist())


@pytest.mark.parametrize(
    ("parameters", "score"),
    [
        ({}, 0.5),  # the bundle's own: head and tail, both words
        ({"truncation": True}, 0.9),
        ({"truncation": "longest_first"}, 0.9),
        ({"max_length": 6}, 0.9),
        ({"truncation": True, "max_length": 1000}, 0.9),
    ],
)
def test_truncation_reads_the_head_as_transformers_does(
    client: TestClient, parameters: dict[str, Any], score: float
) -> None:
    [found] = post(client, "/", inputs=LONG, parameters=parameters)
    assert {one["label"]: one["score"] for one in found}["positive"] == pytest.approx(score)


def test_max_length_counts_the_special_tokens(client: TestClient) -> None:
    answer = client.post("/", json={"inputs": LONG, "parameters": {"max_length": 6}})
    assert answer.headers["x-compute-tokens"] == "6"


@pytest.mark.parametrize("path", ["/models/reviews/pipeline/sentence-similarity", "/", "/models/reviews"])
def test_sentences_are_compared(client: TestClient, path: str) -> None:
    inputs = {"source_sentence": "good", "sentences": ["good", "bad bad"]}
    one, other = np.array([1, 0, 3]), np.array([0, 2, 4])
    expected = [1.0, one @ other / np.linalg.norm(one) / np.linalg.norm(other)]
    assert post(client, path, inputs=inputs, parameters={}) == pytest.approx(expected)
    assert post(client, path, inputs=inputs, user_agent=CLIENT) == pytest.approx(expected)


# body, User-Agent → what it was taken for: nested or flat scores, or embeddings
ASKED: list[tuple[dict[str, Any], str, str]] = [
    ({"inputs": "good"}, "other/1", "tei"),
    ({"inputs": "good", "truncate": True}, "other/1", "tei"),
    ({"inputs": "good", "parameters": {}}, "other/1", "hf"),
    ({"inputs": "good", "parameters": None}, "other/1", "hf"),
    ({"inputs": "good", "parameters": {}}, CLIENT, "hf"),
    ({"inputs": "good"}, CLIENT, "vectors"),
    ({"inputs": ["good", "bad"]}, CLIENT, "vectors"),
    ({"inputs": ["good", "bad"], "normalize": False}, "other/1", "vectors"),
    ({"inputs": "good", "dimensions": 2}, "other/1", "vectors"),
]


@pytest.mark.parametrize("path", ["/", "/models/reviews"])
@pytest.mark.parametrize(("body", "user_agent", "kind"), ASKED)
def test_the_request_reveals_the_dialect(
    client: TestClient, path: str, body: dict[str, Any], user_agent: str, kind: str
) -> None:
    found = post(client, path, user_agent=user_agent, **body)
    kinds = {dict: "tei", list: "hf" if isinstance(found[0], list) and isinstance(found[0][0], dict) else "vectors"}
    assert kinds[type(found[0])] == kind


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_k": 0}, "parameters.top_k must be at least 1."),
        ({"function_to_apply": "tanh"}, "parameters.function_to_apply must be softmax, sigmoid or none."),
        ({"max_length": 3}, "parameters.max_length must be at least 4."),
        ({"truncation": 1}, "parameters.truncation must be true, false, "),
        ({"truncation": "only_second"}, "parameters.truncation must be true, false, "),
        ({"candidate_labels": ["a"]}, "parameters.candidate_labels is a parameter of zero-shot-classification"),
        ({"aggregation_strategy": "simple"}, "parameters.aggregation_strategy is a parameter of token-classification"),
        (
            {"targets": ["a"]},
            "parameters.targets is a parameter of fill-mask, and this model classifies and embeds texts",
        ),
        ([], "parameters must be a JSON object."),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(client: TestClient, parameters: object, message: str) -> None:
    answer = client.post("/", json={"inputs": "good", "parameters": parameters})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


def test_parameters_that_no_answer_depends_on_are_taken(client: TestClient) -> None:
    [found] = post(client, "/", inputs="good", parameters={"padding": True, "batch_size": 8})
    assert found[0]["label"] == "positive"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/", {"inputs": "", "parameters": {}}, 400, "inputs[0] is empty: send at least one word."),
        ("/", {"inputs": [], "parameters": {}}, 400, "inputs is an empty list: send at least one text."),
        (
            "/",
            {"inputs": ["a", 1], "parameters": {}},
            400,
            'inputs must be a text, a pair {"text": …, "text_pair": …}, or a list of',
        ),
        ("/", {"parameters": {}}, 400, "inputs is missing: send it."),
        ("/", {"inputs": {"question": "a", "context": "b"}, "parameters": {}}, 400, "source_sentence is missing: send"),
        ("/", {"inputs": "fail", "parameters": {}}, 500, "The model cannot compute "),
        (
            "/models/other",
            {"inputs": "a", "parameters": {}},
            404,
            "There is no model of that name: valid names are reviews.",
        ),
        (f"{CLASSIFY}", {"inputs": LONG, "parameters": {"truncation": False}}, 400, "inputs[0] has 32 tokens and"),
        ("/models/reviews/pipeline/feature-extraction", {"inputs": "a", "dimensions": 4}, 400, "dimensions must be at"),
    ],
)
def test_errors_have_a_message_and_the_toolkits_status(
    client: TestClient, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize("path", ["/", "/models/reviews", CLASSIFY])
@pytest.mark.parametrize("inputs", ["good", ""])
def test_answers_have_the_number_that_the_client_gave_its_request(client: TestClient, path: str, inputs: str) -> None:
    body = {"inputs": inputs, "parameters": {}}
    answer = client.post(path, json=body, headers={"X-Amzn-Trace-Id": "Root=1-67891233-abcdef"})
    assert answer.headers["X-Request-Id"] == "Root=1-67891233-abcdef"
    assert re.fullmatch("[0-9a-f]{32}", client.post(path, json=body).headers["X-Request-Id"])  # one of ours


@pytest.mark.parametrize("number", ["a" * 201, "a b", "é", "\x7f"])
def test_an_unparsable_number_is_not_quoted(client: TestClient, number: str) -> None:
    headers = {"X-Amzn-Trace-Id": number.encode("latin-1")}
    answer = client.post("/", json={"inputs": "good", "parameters": {}}, headers=headers)
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])  # one of ours


def test_headers_report_the_time_of_an_answer(client: TestClient) -> None:
    headers = client.post("/", json={"inputs": ["good", "bad"], "parameters": {}}).headers
    assert (headers["x-compute-characters"], headers["x-compute-tokens"]) == ("7", "6")
    assert headers["X-Model"] == "reviews"


def test_the_page_is_still_at_the_root(client: TestClient) -> None:
    assert client.get("/").headers["Content-Type"].startswith("text/html")


def test_the_description_has_every_shape_that_it_names(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    schemas = description["components"]["schemas"]
    routes = {
        path: operation
        for path, verbs in description["paths"].items()
        for operation in verbs.values()
        if {"tei", "hugging face"} & set(operation["tags"])
    }
    assert len(routes) == 21
    named = set(json.dumps(routes).split('"#/components/schemas/')[1:])
    assert {one.partition('"')[0] for one in named} <= set(schemas)
    assert "HTTPValidationError" not in json.dumps(routes)  # no answer has FastAPI's shape
    for path, operation in routes.items():
        in_path = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert in_path == (["name"] if "{name}" in path else [])


def test_openapi_gives_each_dialects_error_shape(client: TestClient) -> None:
    description = client.get("/openapi.json").json()

    def shapes(path: str, status: str) -> list[str]:
        schema = description["paths"][path]["post"]["responses"][status]["content"]["application/json"]["schema"]
        return [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema])]

    assert shapes("/predict", "422") == ["TeiError"]
    assert shapes("/predict", "424") == ["TeiError"]
    assert shapes("/predict", "413") == ["TeiError"]
    assert shapes("/", "413") == ["TeiError", "ErrorBody"]  # the latter unread, so nobody knows whose client it is
    assert shapes("/", "408") == ["ErrorBody"]
    assert shapes("/", "400") == ["TeiError", "HfError", "ErrorBody"]
    assert sorted(shapes("/models/{name}/pipeline/text-classification", "500")) == ["ErrorBody", "HfError"]


def test_no_body_makes_the_server_fail(client: TestClient) -> None:
    scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    value = st.recursive(
        scalar,
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=4), one, max_size=2),
        max_leaves=6,
    )
    known = ("inputs", "parameters", "truncate", "truncation_direction", "normalize", "dimensions", "ids", "raw_scores")
    paths = (
        "/",
        "/predict",
        "/embed",
        "/embed_all",
        "/similarity",
        "/tokenize",
        "/decode",
        "/models/reviews",
        CLASSIFY,
    )

    @hypothesis.given(st.sampled_from(paths), st.dictionaries(st.sampled_from(known), value) | value)
    @hypothesis.settings(max_examples=300)
    def check(path: str, body: Any) -> None:
        answer = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, answer.text
        assert answer.status_code == 200 or isinstance(answer.json()["error"], str)

    check()
