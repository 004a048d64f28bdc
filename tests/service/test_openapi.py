"""The description of the API says what the API does."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service.problems import STATUS
from bertline.serving.problems import Code


@pytest.fixture
def description(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


OWN = {
    "/v1/predict": {"post"},
    "/v1/tokenize": {"post"},
    "/v1/explain": {"post"},
    "/v1/feedback": {"get", "post"},
    "/v1/feedback/withdraw": {"post"},
    "/v1/review": {"get", "post"},
    "/v1/review/skip": {"post"},
    "/v1/review/labels.csv": {"get"},
    "/v1/anatomy": {"post"},
    "/v1/compare": {"get", "post"},
    "/v1/compare/table": {"post"},
    "/v1/scan": {"get", "post"},
    "/v1/review/texts": {"get"},
    "/v1/models": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
    "/livez": {"get"},
    "/readyz": {"get"},
    "/admin/models/{name}": {"get", "put"},
    "/admin/models/{name}/rollback": {"post"},
    "/v1/models/{name}/shadow": {"post"},
    "/v1/models/{name}/canary": {"post"},
    "/v1/models/{name}/rollout": {"get", "delete"},
    "/v1/models/{name}/verdicts": {"get"},
    "/v1/models/{name}/history": {"get"},
}
# What only other routes answer, or the connection, which closes before there is a route.
ELSEWHERE = (
    Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.NOT_LOCAL, Code.CANNOT_LOAD,
    Code.MALFORMED_REQUEST, Code.HEAD_TOO_LARGE, Code.TARGET_TOO_LONG, Code.UNSUPPORTED_VERSION,
    Code.UNSUPPORTED_TRANSFER_ENCODING, Code.EXPECTATION_FAILED,
)  # fmt: skip


def test_the_routes(description: Any) -> None:
    found = {path: set(verbs) for path, verbs in description["paths"].items()}
    assert {path: found.get(path) for path in OWN} == OWN


def test_every_route_has_a_summary_and_a_name_of_its_own(description: Any) -> None:
    operations = [one for verbs in description["paths"].values() for one in verbs.values()]
    assert all(one["summary"] for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


def test_every_error_of_predict_is_described_with_the_shape_that_it_has(description: Any) -> None:
    responses = description["paths"]["/v1/predict"]["post"]["responses"]
    expected: dict[str, set[str]] = {}
    for code in set(Code) - set(ELSEWHERE):
        expected.setdefault(str(int(STATUS[code])), set()).add(code.value)
    errors = {status: set(one["description"].split(", ")) for status, one in responses.items() if status >= "400"}
    assert errors == expected
    shapes = {
        one["content"]["application/json"]["schema"]["$ref"] for status, one in responses.items() if status >= "400"
    }
    assert shapes == {"#/components/schemas/ErrorBody"}


def test_no_route_describes_an_error_that_no_client_gets(description: Any) -> None:
    """The framework's own shape of a 422, or any status at all."""
    operations = [one for verbs in description["paths"].values() for one in verbs.values()]
    assert not [one["operationId"] for one in operations if "default" in one["responses"]]
    assert "HTTPValidationError" not in str(description)


def test_errors_of_the_guard_have_the_dialect_of_the_route(description: Any) -> None:
    shapes = {
        "/embed": "TeiError",
        "/v1/embeddings": "OpenAIError",
        "/invocations": "Refusal",
        "/v1/predict": "ErrorBody",
    }
    for path, shape in shapes.items():
        content = description["paths"][path]["post"]["responses"]["401"]["content"]["application/json"]
        assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}


def test_the_request_needs_exactly_one_of_two_fields(description: Any) -> None:
    schema = description["components"]["schemas"]["PredictRequest"]
    assert schema["oneOf"] == [{"required": ["text"]}, {"required": ["texts"]}]
    assert schema["additionalProperties"] is False


def test_a_header_of_predict_sets_the_time_limit(description: Any) -> None:
    parameters = description["paths"]["/v1/predict"]["post"]["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in parameters] == [
        ("x-request-timeout-ms", "header", False)
    ]


def test_the_example_of_the_request_is_answered(client: TestClient, description: Any) -> None:
    [example] = description["components"]["schemas"]["PredictRequest"]["examples"]
    assert client.post("/v1/predict", json=example).status_code == 200
