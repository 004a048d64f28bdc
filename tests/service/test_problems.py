"""Every way a request can be wrong: its status, code, field, and the words that say what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.problems import STATUS
from bertline.serving.problems import Code
from bertline.testing.words import Broken, Buggy, WordCounter, serving_of
from tests.service.conftest import until_ready

LIMITS = ServeSettings(max_batch_texts=3, max_chars=60, max_body_bytes=2000, max_request_tokens=40)
NUMBERS = b'{"text": "a", "top_k": ' + b"1" * 4500 + b"}"

# body as JSON or bytes → code, field, message
WRONG: list[tuple[object, Code, str | None, str]] = [
    (b"{", Code.INVALID_JSON, None, "The body is not valid JSON: "),
    (b'"\xff"', Code.INVALID_JSON, None, "The body is not valid JSON: it is not UTF-8 at byte 1."),
    (b"[" * 1900, Code.INVALID_JSON, None, "The body is not valid JSON: lists and objects are nested more than 100"),
    ({}, Code.MISSING_FIELD, "text", "Send one text in text, or several in texts."),
    (b"", Code.MISSING_FIELD, "text", 'The body is empty: send {"text": "…"} as JSON.'),
    ({"text": None}, Code.MISSING_FIELD, "text", "Send one text in text, or several in texts."),
    ({"text": "a", "texts": ["b"]}, Code.CONFLICTING_FIELDS, "texts", "Send either text or texts, not both."),
    ({"txt": "a"}, Code.UNKNOWN_FIELD, "txt", "There is no field txt: did you mean text?"),
    ({"text": "a", "zq": 1}, Code.UNKNOWN_FIELD, "zq", "There is no field zq: valid names are text, texts, model,"),
    ({"text": 3}, Code.WRONG_TYPE, "text", "text must be a string."),
    ({"text": ["a"]}, Code.WRONG_TYPE, "text", "text must be a string."),
    ({"texts": "a"}, Code.WRONG_TYPE, "texts", "texts must be a list of strings."),
    ({"texts": ["a", None]}, Code.WRONG_TYPE, "texts[1]", "texts[1] must be a text, or a pair as in {"),
    ({"text": "a", "top_k": "3"}, Code.WRONG_TYPE, "top_k", "top_k must be a whole number."),
    ({"text": "a", "top_k": True}, Code.WRONG_TYPE, "top_k", "top_k must be a whole number."),
    ({"text": "a", "model": 1}, Code.WRONG_TYPE, "model", "model must be a string."),
    (["a"], Code.WRONG_TYPE, None, "The body must be a JSON object."),
    (b"null", Code.WRONG_TYPE, None, "The body must be a JSON object."),
    ({"text": "a", "top_k": 0}, Code.OUT_OF_RANGE, "top_k", "top_k must be at least 1."),
    ({"text": ""}, Code.EMPTY_TEXT, "text", "text is empty: send at least one word."),
    ({"text": " \n\t"}, Code.EMPTY_TEXT, "text", "text is only white space: send at least one word."),
    ({"texts": []}, Code.EMPTY_TEXT, "texts", "texts is an empty list: send at least one text."),
    ({"texts": ["a", " "]}, Code.EMPTY_TEXT, "texts[1]", "texts[1] is only white space: send"),
    (b'{"text": "a \\ud83d"}', Code.INVALID_TEXT, "text", "text has half a surrogate pair at character 2:"),
    ({"text": "x" * 61}, Code.TEXT_TOO_LONG, "text", "text has 61 characters and the limit is 60: send a part"),
    ({"texts": ["a", "x" * 61]}, Code.TEXT_TOO_LONG, "texts[1]", "texts[1] has 61 characters and the limit is"),
    ({"texts": ["a"] * 4}, Code.TOO_MANY_TEXTS, "texts", "texts has 4 texts and the limit is 3: send them in"),
    ({"text": "a", "model": "b"}, Code.UNKNOWN_MODEL, "model", "There is no model of that name: valid names are rev"),
    ({"text": "x" * 2000}, Code.BODY_TOO_LARGE, None, "The body has more than 2,000 bytes, the limit: send"),
    ({"text": "a", "truncation": "middle"}, Code.WRONG_TYPE, "truncation", "truncation must be"),
    (
        {"text": "a " * 20, "truncation": "error"},
        *(Code.TOO_MANY_TOKENS, "text", "text has 22 tokens and reviews reads 16: send a part of it, or ask for"),
    ),
    (
        {"texts": ["a", "a " * 20], "truncation": "error"},
        *(Code.TOO_MANY_TOKENS, "texts[1]", "texts[1] has 22 tokens and reviews reads 16: send a part of it"),
    ),
    (
        {"texts": ["a " * 30] * 3},
        *(Code.TOO_MANY_TOKENS, "texts", "texts would take 48 tokens and the limit of a request is 40: send them in"),
    ),
    (
        {"texts": ["a", "fail"]},
        *(Code.COMPUTE_FAILED, "texts[1]", "The model cannot compute texts[1]: an index is out of bounds."),
    ),
]
# Codes whose tests need more than a body, and where those are.
ELSEWHERE = {
    Code.OTHER_TASK: "test_tasks.py::test_a_task_that_a_dialect_does_not_have",
    Code.MALFORMED_REQUEST: "test_http1_bounds.py::test_a_malformed_request_gets_the_reason",
    Code.UNSUPPORTED_VERSION: "test_http1_bounds.py::test_a_malformed_request_gets_the_reason",
    Code.UNSUPPORTED_TRANSFER_ENCODING: "test_http1_bounds.py::test_a_malformed_request_gets_the_reason",
    Code.EXPECTATION_FAILED: "test_http1_bounds.py::test_a_malformed_request_gets_the_reason",
    Code.HEAD_TOO_LARGE: "test_http1_bounds.py::test_a_bound_is_exact",
    Code.TARGET_TOO_LONG: "test_http1_bounds.py::test_a_bound_is_exact",
    Code.NOT_JSON: "test_problems.py::test_only_json_is_taken_because_a_foreign_page_can_send_the_rest",
    Code.UNSUPPORTED_CONTENT_ENCODING: "test_content_encoding.py::test_a_coding_that_is_not_read_is_a_415",
    Code.INVALID_CONTENT_ENCODING: "test_content_encoding.py::test_a_body_that_contradicts_its_header_is_a_400",
    Code.NOT_FOUND: "test_problems.py::test_an_unknown_path",
    Code.METHOD_NOT_ALLOWED: "test_problems.py::test_a_wrong_method_names_the_right_one",
    Code.INVALID_HEADER: "test_problems.py::test_a_deadline_is_a_positive_number_of_milliseconds",
    Code.INTERNAL: "test_problems.py::test_an_unexpected_error",
    Code.UNSUPPORTED: "test_serving.py::test_states_of_tokens_are_not_pooled_over_windows",
    Code.BODY_TOO_SLOW: "test_body_limit.py::test_a_body_that_stops_on_its_way_is_refused",
    Code.UNAUTHENTICATED: "test_guard.py::test_without_credentials_the_response_explains_what_to_send",
    Code.INVALID_CREDENTIALS: "test_guard.py::test_an_invalid_credential_is_rejected_without_being_quoted",
    Code.INSUFFICIENT_SCOPE: "test_guard.py::test_the_scope_of_each_path",
    Code.RATE_LIMITED: "test_limits.py::test_retry_after_is_the_first_second_with_room",
    Code.QUOTA_EXCEEDED: "test_limits.py::test_a_quota_is_used_up_until_midnight_utc",
    Code.NOT_LOCAL: "test_admin.py::test_only_this_machine_changes_models",
    Code.CANNOT_LOAD: "test_admin.py::test_a_bundle_that_cannot_be_used_changes_nothing",
    Code.OVERLOADED: "test_overload.py::test_the_queue_has_an_end",
    Code.DEADLINE: "test_overload.py::test_a_request_that_would_be_late_is_refused_at_once",
    Code.NO_MEMORY: "test_scheduler.py::test_a_text_too_large_for_the_memory_fails_alone",
    Code.WORKER_LOST: "test_scheduler.py::test_a_text_that_kills_twice_fails_alone",
    Code.NOT_READY: "test_models_and_health.py::test_ready_only_once_the_model_has_answered_the_warm_up",
}


@pytest.fixture
def client() -> Any:
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, LIMITS))) as one:
        yield until_ready(one)


def check(answer: Any, code: Code, field: str | None, message: str) -> None:
    assert answer.status_code == STATUS[code]
    assert set(answer.json()) == {"error"}
    error: Mapping[str, object] = answer.json()["error"]
    assert set(error) == {"code", "message", "field"}
    assert (error["code"], error["field"]) == (code.value, field)
    assert str(error["message"]).startswith(message)


@pytest.mark.parametrize(("body", "code", "field", "message"), WRONG)
def test_each_invalid_request_gets_its_own_sentence(
    client: TestClient, body: object, code: Code, field: str | None, message: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/v1/predict", content=content, headers={"Content-Type": "application/json"})
    check(answer, code, field, message)


def test_a_long_number_is_refused_and_not_converted(client: TestClient) -> None:
    with TestClient(create_app(serving_of({"reviews": WordCounter()}))) as roomy:
        answer = until_ready(roomy).post("/v1/predict", content=NUMBERS, headers={"Content-Type": "application/json"})
    check(answer, Code.INVALID_JSON, None, "The body is not valid JSON: a number has more than 4,300 digits.")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken_because_a_foreign_page_can_send_the_rest(
    client: TestClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.post("/v1/predict", content=b'{"text": "a"}', headers=headers)
    check(answer, Code.NOT_JSON, None, "Send the body as JSON, with the header Content-Type: application/json.")


@pytest.mark.parametrize("path", ["/nope", "/page/nope.css", "/page/../app.py", "/page/%2e%2e/app.py"])
def test_an_unknown_path(client: TestClient, path: str) -> None:
    message = "There is nothing at this path: see /docs for the ones that answer."
    check(client.get(path), Code.NOT_FOUND, None, message)


def test_a_wrong_method_names_the_right_one(client: TestClient) -> None:
    answer = client.get("/v1/predict")
    check(answer, Code.METHOD_NOT_ALLOWED, None, "/v1/predict does not take GET: see /docs.")
    assert answer.headers["Allow"] == "POST"


def test_every_code_has_a_status_and_a_test() -> None:
    assert set(STATUS) == set(Code)
    assert {code for _, code, _, _ in WRONG} | set(ELSEWHERE) == set(Code)
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (Path(__file__).parent / file).read_text(encoding="utf-8"), place


def test_every_status_is_an_error_and_transient_ones_are_not_the_clients() -> None:
    assert all(status >= 400 for status in STATUS.values())
    again = {code for code, status in STATUS.items() if status in (429, 503, 504)}
    overload = {Code.OVERLOADED, Code.DEADLINE, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED}
    assert again == overload | {Code.NO_MEMORY, Code.WORKER_LOST, Code.NOT_READY}


def test_the_guide_has_every_code_with_its_status() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "serve.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| (.+) \|$", guide, re.MULTILINE)
    assert {code: int(status) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)} == {
        code.value: int(status) for code, status in STATUS.items()
    }


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", ""])
def test_a_deadline_is_a_positive_number_of_milliseconds(client: TestClient, value: str) -> None:
    answer = client.post("/v1/predict", json={"text": "good"}, headers={"X-Request-Timeout-Ms": value})
    message = "X-Request-Timeout-Ms must be a positive number of milliseconds."
    check(answer, Code.INVALID_HEADER, "X-Request-Timeout-Ms", message)


def test_an_unexpected_error() -> None:
    with TestClient(create_app(serving_of({"reviews": Buggy()}, LIMITS))) as client:
        answer = until_ready(client).post("/v1/predict", json={"text": "fail"})
    check(answer, Code.INTERNAL, None, "The server failed on this request; its log has the details under")


def test_a_model_that_cannot_answer_never_gets_ready() -> None:
    with TestClient(create_app(serving_of({"broken": Broken()}, LIMITS))) as client:
        message = "A model is not ready, or its worker is being replaced: try again in a second."
        check(client.get("/health/ready"), Code.NOT_READY, None, message)


def test_the_limits_themselves_are_allowed(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"texts": ["x" * 60] * 3})
    assert len(answer.json()["predictions"]) == 3


def test_a_character_is_a_code_point_and_not_a_byte(client: TestClient) -> None:
    assert client.post("/v1/predict", json={"text": "🙂" * 60}).status_code == 200
    assert client.post("/v1/predict", json={"text": "🙂" * 61}).status_code == 422


def test_a_long_name_of_an_unknown_field_is_shortened(client: TestClient) -> None:
    error = client.post("/v1/predict", json={"secret" * 50: 1}).json()["error"]
    assert error["field"] == ("secret" * 10) + "…"


def test_a_wrong_method_gets_all_methods_of_the_path(client: TestClient) -> None:
    """``/`` is the page for GET and another server's dialect for POST; ``/admin/models/{name}`` has two routes."""
    found = {path: client.request("PATCH", path).headers["Allow"] for path in ("/", "/admin/models/a", "/livez")}
    assert found == {"/": "GET, HEAD, POST", "/admin/models/a": "GET, HEAD, PUT", "/livez": "GET, HEAD"}
