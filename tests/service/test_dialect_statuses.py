"""The status of every problem in every dialect, beside what the dialect's own server answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.problems import OWN, Dialect
from bertline.service.routes.hf.router import HF
from bertline.service.routes.kserve import KSERVE
from bertline.service.routes.openai import OPENAI
from bertline.service.routes.tei.answers import TEI
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

WRONG = (
    Code.MISSING_FIELD, Code.UNKNOWN_FIELD, Code.CONFLICTING_FIELDS, Code.WRONG_TYPE, Code.OUT_OF_RANGE,
    Code.UNSUPPORTED,
)  # fmt: skip
TOO_MUCH = (Code.TOO_MANY_TEXTS, Code.TOO_MANY_TOKENS, Code.TEXT_TOO_LONG)
INVALID = (*WRONG, *TOO_MUCH, Code.OTHER_TASK, Code.EMPTY_TEXT, Code.INVALID_TEXT)
# Of HTTP itself, whoever answers: RFC 9110, sections 15.5 and 15.6, and RFC 6585, section 4.
OF_HTTP = {
    400: (Code.INVALID_JSON, Code.INVALID_HEADER, Code.MALFORMED_REQUEST, Code.INVALID_CONTENT_ENCODING),
    401: (Code.UNAUTHENTICATED, Code.INVALID_CREDENTIALS),
    403: (Code.INSUFFICIENT_SCOPE, Code.NOT_LOCAL),
    404: (Code.NOT_FOUND, Code.UNKNOWN_MODEL),
    405: (Code.METHOD_NOT_ALLOWED,),
    408: (Code.BODY_TOO_SLOW,),
    409: (Code.CANNOT_LOAD,),
    413: (Code.BODY_TOO_LARGE,),
    414: (Code.TARGET_TOO_LONG,),
    415: (Code.NOT_JSON, Code.UNSUPPORTED_CONTENT_ENCODING),
    417: (Code.EXPECTATION_FAILED,),
    429: (Code.OVERLOADED, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED),
    431: (Code.HEAD_TOO_LARGE,),
    501: (Code.UNSUPPORTED_TRANSFER_ENCODING,),
    503: (Code.NOT_READY,),
    504: (Code.DEADLINE,),
    505: (Code.UNSUPPORTED_VERSION,),
}
OF_COMPUTING = {500: (Code.INTERNAL, Code.COMPUTE_FAILED), 503: (Code.NO_MEMORY, Code.WORKER_LOST)}


def table(*parts: Mapping[int, tuple[Code, ...]]) -> dict[Code, int]:
    return {code: status for part in parts for status, codes in part.items() for code in codes}


# TEI, router/src/http/server.rs, ``impl From<&ErrorType> for StatusCode``: Empty 400, Tokenizer 422, Backend 424,
# Overloaded 429, Unhealthy 503; Validation 413, which docs/openapi.json calls "Batch size error". What is no matter
# of size was a 413 too until its issue 813 (a prompt_name that is not known); axum answers 422 to JSON that does not
# fit, 400 to what is no JSON and 415 to another type. core/src/tokenization.rs: an empty text is Empty.
# core/src/infer.rs: a model that is no classifier is Backend.
TEI_STATUSES = table(
    OF_HTTP,
    {400: (Code.EMPTY_TEXT,), 413: TOO_MUCH, 422: (*WRONG, Code.INVALID_TEXT)},
    {424: (Code.OTHER_TASK, Code.INTERNAL, Code.COMPUTE_FAILED, Code.NO_MEMORY, Code.WORKER_LOST)},
)
# Hugging Face's toolkit, webservice_starlette.py: 400 with one key, error, for whatever is raised. A failure of ours
# is no 400 here, because clients try again at 5xx.
HF_STATUSES = table(OF_HTTP, {400: INVALID}, OF_COMPUTING)
# SageMaker's toolkit, handler_service.py: PredictionException(…, 400) for whatever is raised. The same exception.
# KServe, python/kserve/kserve/errors.py: InvalidInput 400, ModelNotFound 404, InferenceError 500, ModelNotReady 503.
# Triton, src/http_server.cc, HttpCodeFromError: INVALID_ARG 400, NOT_FOUND 404, INTERNAL 500, UNAVAILABLE 503. (It
# says UNAVAILABLE to a full queue and a timeout; 429 with Retry-After and 504 tell the client which it is.)
KSERVE_STATUSES = HF_STATUSES
# OpenAI, docs/guides/error-codes: 400 invalid_request_error, 401, 403, 404 model_not_found, 429, 500, 503.
OPENAI_STATUSES = HF_STATUSES

DIALECTS: dict[str, tuple[Dialect, Mapping[Code, int]]] = {
    "own": (OWN, table(OF_HTTP, {422: INVALID}, OF_COMPUTING)),
    "tei": (TEI, TEI_STATUSES),
    "hugging face": (HF, HF_STATUSES),
    "kserve, triton, sagemaker": (KSERVE, KSERVE_STATUSES),
    "openai, vllm": (OPENAI, OPENAI_STATUSES),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_problem_has_its_status(dialect: str) -> None:
    """R12: as the table beside its source has it."""
    errors, expected = DIALECTS[dialect]
    assert set(expected) == set(Code)
    assert {code: errors.refuse(Problem(code, "It is wrong.")).status_code for code in Code} == expected


@pytest.fixture
def strict() -> Any:
    """With limits that small requests exceed."""
    settings = ServeSettings(max_batch_texts=3, max_chars=200, max_request_tokens=40)
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, settings))) as one:
        yield until_ready(one)


LONG = "good " * 30  # the model reads 14 tokens
TEI_SIZES: list[tuple[str, dict[str, Any]]] = [
    ("/predict", {"inputs": [["good"]] * 4}),
    ("/embed", {"inputs": ["good"] * 4}),
    ("/embed_all", {"inputs": ["good"] * 4}),
    ("/similarity", {"inputs": {"source_sentence": "good", "sentences": ["good"] * 4}}),
    ("/tokenize", {"inputs": ["good"] * 4}),
    ("/decode", {"ids": [[5]] * 4}),
    ("/", {"inputs": [["good"]] * 4}),
    ("/predict", {"inputs": LONG, "truncate": False}),
    ("/embed", {"inputs": LONG, "truncate": False}),
    ("/embed_all", {"inputs": LONG, "truncate": False}),
    ("/similarity", {"inputs": {"source_sentence": LONG, "sentences": ["a"]}, "parameters": {"truncate": False}}),
    ("/predict", {"inputs": "x" * 201}),
    ("/embed", {"inputs": [5] * 201}),
    ("/embed", {"inputs": [LONG] * 3}),
]


@pytest.mark.parametrize(("path", "body"), TEI_SIZES)
def test_oversized_requests_are_413_validation_in_tei(strict: TestClient, path: str, body: dict[str, Any]) -> None:
    """R12: its clients split a batch at this status, and at no other."""
    answer = strict.post(path, json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (413, "Validation"), answer.text


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/predict", {"inputs": "good", "truncate": "yes"}, 422, "Validation"),
        ("/embed", {"inputs": "good", "prompt_name": "query"}, 422, "Validation"),
        ("/embed", {"inputs": "good", "dimensions": 4}, 422, "Validation"),
        ("/predict", {}, 422, "Validation"),
        ("/predict", {"inputs": []}, 400, "Empty"),
        ("/predict", {"inputs": ""}, 400, "Empty"),
        ("/embed", {"inputs": ["good", "\u200b"]}, 400, "Empty"),
        ("/predict", {"inputs": "fail"}, 424, "Backend"),
        ("/rerank", {"query": "good", "texts": ["bad"]}, 424, "Backend"),
    ],
)
def test_other_faults_are_not_413(strict: TestClient, path: str, body: dict[str, Any], status: int, kind: str) -> None:
    """R12: 413 is a matter of size alone."""
    answer = strict.post(path, json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (status, kind), answer.text


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_the_description_has_the_413(strict: TestClient, path: str) -> None:
    """R12: clients that are made from the description know of it."""
    answers = strict.get("/openapi.json").json()["paths"][path]["post"]["responses"]
    assert "Validation" in answers["413"]["description"]
