"""The description of the API says what the API does."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service.problems import STATUS, Code


@pytest.fixture
def description(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def test_the_routes(description: Any) -> None:
    assert {path: set(verbs) for path, verbs in description["paths"].items()} == {
        "/v1/predict": {"post"},
        "/v1/models": {"get"},
        "/health/live": {"get"},
        "/health/ready": {"get"},
    }


def test_every_error_of_predict_is_described_with_the_shape_that_it_has(description: Any) -> None:
    responses = description["paths"]["/v1/predict"]["post"]["responses"]
    elsewhere = (Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.NOT_READY)
    expected = {str(int(STATUS[code])): set[str]() for code in Code if code not in elsewhere}
    for code in Code:
        if code not in elsewhere:
            expected[str(int(STATUS[code]))].add(code.value)
    errors = {status: set(one["description"].split(", ")) for status, one in responses.items() if status >= "400"}
    assert errors == expected
    shapes = {
        one["content"]["application/json"]["schema"]["$ref"] for status, one in responses.items() if status >= "400"
    }
    assert shapes == {"#/components/schemas/ErrorBody"}


def test_the_request_wants_one_of_two_fields_and_no_other(description: Any) -> None:
    schema = description["components"]["schemas"]["PredictRequest"]
    assert schema["oneOf"] == [{"required": ["text"]}, {"required": ["texts"]}]
    assert schema["additionalProperties"] is False


def test_the_example_of_the_request_is_answered(client: TestClient, description: Any) -> None:
    [example] = description["components"]["schemas"]["PredictRequest"]["examples"]
    assert client.post("/v1/predict", json=example).status_code == 200
