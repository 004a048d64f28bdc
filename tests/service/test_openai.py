"""OpenAI's own client, as it comes from its package, and vLLM's ``/classify``."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.testing.words import ID, Gated, WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm


def unit(*values: float) -> Any:
    """What the double embeds as counts of good, bad and all tokens, with length 1; float32 has seven digits."""
    return pytest.approx(np.array(values) / np.linalg.norm(values), abs=1e-6)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter(), "topics": WordCounter(name="topics")}) as one:
        yield warm(one)


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as one:
        yield one


# ------------------------------------------------------------------------------------------------- embeddings


def test_the_client_asks_for_base64_and_gets_vectors_of_length_one(client: OpenAI) -> None:
    answer = client.embeddings.create(model="reviews", input=["good bad", "good"])
    assert [one.embedding for one in answer.data] == [unit(1, 1, 4), unit(1, 0, 3)]
    assert [(one.index, one.object) for one in answer.data] == [(0, "embedding"), (1, "embedding")]
    assert (answer.object, answer.model) == ("list", "reviews")


def test_floats_are_the_same_numbers(client: OpenAI) -> None:
    answer = client.embeddings.create(model="reviews", input="good bad", encoding_format="float")
    assert [one.embedding for one in answer.data] == [unit(1, 1, 4)]


def test_base64_is_little_endian_float32(url: str) -> None:
    body = {"model": "reviews", "input": "good", "encoding_format": "base64"}
    [one] = httpx.post(f"{url}/embeddings", json=body).json()["data"]
    assert np.frombuffer(base64.b64decode(one["embedding"]), "<f4") == unit(1, 0, 3)


def test_the_client_that_does_not_block(url: str) -> None:
    async def ask() -> list[list[float]]:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as one:
            answers = [one.embeddings.create(model="reviews", input=text) for text in ("good", "bad")]
            return [found.data[0].embedding for found in await asyncio.gather(*answers)]

    assert asyncio.run(ask()) == [unit(1, 0, 3), unit(0, 1, 3)]


def test_token_ids_are_read_as_the_text_that_they_stand_for(client: OpenAI) -> None:
    good, bad, start = ID["good"], ID["bad"], ID["[CLS]"]
    one = client.embeddings.create(model="reviews", input=[start, good, bad])
    several = client.embeddings.create(model="reviews", input=[[good, bad], [bad]])
    assert [found.embedding for found in one.data] == [unit(1, 1, 4)]
    assert [found.embedding for found in several.data] == [unit(1, 1, 4), unit(0, 1, 3)]


def test_fewer_dimensions_have_length_one_again(client: OpenAI) -> None:
    answer = client.embeddings.create(model="reviews", input="good good bad", dimensions=2)
    assert answer.data[0].embedding == unit(2, 1)


def test_a_vector_of_nothing_stays_one(client: OpenAI) -> None:
    answer = client.embeddings.create(model="reviews", input="film", dimensions=2)
    assert answer.data[0].embedding == [0, 0]


def test_usage_counts_the_tokens_read(client: OpenAI) -> None:
    usage = client.embeddings.create(model="reviews", input=["good", "word " * 20]).usage
    assert (usage.prompt_tokens, usage.total_tokens) == (3 + 16, 3 + 16)


# ------------------------------------------------------------------------------------------------- models


def test_models_are_listed_and_found_by_name(client: OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["reviews", "topics"]
    found = client.models.retrieve("topics")
    assert (found.id, found.object, found.owned_by) == ("topics", "model", "bertline")
    assert abs(found.created - time.time()) < 3600


# ------------------------------------------------------------------------------------------------- errors


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="text-embedding-3-small", input="good")
    error = refused.value
    assert (error.code, error.param, error.type) == ("model_not_found", "model", "invalid_request_error")
    assert error.body == {
        "message": "There is no model of that name: valid names are reviews, topics.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


# body → code, param, message
WRONG: list[tuple[dict[str, Any], str, str | None, str]] = [
    ({}, "missing_field", "input", "input is missing: send a text, several texts, or token ids."),
    ({"input": 3}, "wrong_type", "input", "input must be a string, a list of strings, or token ids of one or several."),
    ({"input": ["a", 3]}, "wrong_type", "input", "input must be a string, a list of strings, or"),
    ({"input": [True]}, "wrong_type", "input", "input must be a string, a list of strings, or"),
    ({"input": [[1], "a"]}, "wrong_type", "input", "input must be a string, a list of strings, or"),
    ({"input": {"text": "a"}}, "wrong_type", "input", "input must be a string, a list of strings, or"),
    ({"input": []}, "empty_text", "input", "input is an empty list: send at least one text."),
    ({"input": "a", "dimension": 2}, "unknown_parameter", "dimension", "There is no field dimension: did you mean"),
    ({"input": [[1], [-1]]}, "out_of_range", "input[1]", "input[1] must hold token ids from 0 to 10."),
    ({"input": [11]}, "out_of_range", "input[0]", "input[0] must hold token ids from 0 to 10."),
    ({"input": [10**30]}, "out_of_range", "input[0]", "input[0] must hold token ids from 0 to 10."),
    ({"input": [1] * 131_073}, "too_many_tokens", "input", "input has 131,073 token ids and the limit is 131,072:"),
    ({"input": ["a"] * 129}, "too_many_texts", "input", "input has 129 texts and the limit is 128: send them in"),
    ({"input": [[1]] * 129}, "too_many_texts", "input", "input has 129 texts and the limit is 128: send them in"),
    ({"input": "a", "dimensions": 0}, "out_of_range", "dimensions", "dimensions must be at least 1."),
    ({"input": "a", "dimensions": 4}, "out_of_range", "dimensions", "dimensions must be at most 3, the model's width."),
    ({"input": "a", "dimensions": 10**30}, "out_of_range", "dimensions", "dimensions must be at most 3,"),
    ({"input": "a", "encoding_format": "hex"}, "unsupported", "encoding_format", "encoding_format must be float or"),
    ({"input": "a", "truncation_side": "up"}, "unsupported", "truncation_side", "truncation_side must be left or"),
    (
        {"input": "a", "truncate_prompt_tokens": 3},
        *("out_of_range", "truncate_prompt_tokens", "truncate_prompt_tokens must be at least 4, or -1 for all."),
    ),
    ({"input": "a", "model": None}, "missing_field", "model", "Name one of the models in model: reviews, topics."),
]


@pytest.mark.parametrize(("body", "code", "param", "message"), WRONG)
def test_each_invalid_request_gets_its_own_sentence(
    client: OpenAI, body: dict[str, Any], code: str, param: str | None, message: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/embeddings", body={"model": "reviews", **body}, cast_to=object)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.body["message"].startswith(message)  # type: ignore[index]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b'{"input": "\xff"}', b"[" * 10_000, b'{"input": "\\ud83d"}']
)
def test_a_body_that_is_not_an_object_is_rejected_in_the_same_shape(url: str, body: bytes) -> None:
    answer = httpx.post(f"{url}/v1/embeddings", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_only_json_is_taken(url: str) -> None:
    answer = httpx.post(f"{url}/v1/embeddings", content=b'{"input": "a"}', headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_json")


def test_a_text_that_the_model_cannot_compute_is_a_server_error(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        client.embeddings.create(model="reviews", input="fail")
    assert (failed.value.status_code, failed.value.type, failed.value.code) == (500, "server_error", "compute_failed")


def test_overload_is_a_rate_limit_and_the_client_honours_retry_after() -> None:
    model = Gated()
    model.gate.set()
    settings = ServeSettings(drain_s=0, lanes=1, max_wait_ms=1e-6)  # whoever finds a text waiting is refused
    with live({"reviews": model}, settings) as url, ThreadPoolExecutor(2) as others:
        warm(url)
        model.gate.clear()
        model.entered.clear()
        with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            ask = {"model": "reviews", "input": "good"}
            try:
                computed = others.submit(client.embeddings.create, **ask)
                assert model.entered.wait(timeout=30)
                waiting = others.submit(client.embeddings.create, **ask)
                until_one_waits(url)
                with pytest.raises(openai.RateLimitError) as refused:
                    client.embeddings.create(**ask)
            except BaseException:
                model.gate.set()
                raise
            assert (refused.value.code, refused.value.type) == ("rate_limit_exceeded", "rate_limit_error")
            assert refused.value.response.headers["Retry-After"] == "1"
            threading.Timer(0.1, model.gate.set).start()
            began_s = time.monotonic()
            patient = client.with_options(max_retries=1).embeddings.create(**ask)
            assert time.monotonic() - began_s >= 1  # its own first pause is at most half a second
            for answer in (patient, computed.result(timeout=30), waiting.result(timeout=30)):
                assert answer.data[0].embedding == unit(1, 0, 3)


def until_one_waits(url: str) -> None:
    """Return once a text stands in the queue."""
    deadline_s = time.monotonic() + 30
    while 'bertline_queue_texts{model="reviews"} 1' not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


# ------------------------------------------------------------------------------------------------- vLLM


def test_classify_as_vllm_answers(url: str) -> None:
    answer = httpx.post(f"{url}/classify", json={"model": "reviews", "input": ["good", "bad"]}).json()
    assert answer.pop("id").startswith("classify-")
    assert abs(answer.pop("created") - time.time()) < 60
    high, low = pytest.approx(0.9), pytest.approx(0.1)
    assert answer == {
        "object": "list",
        "model": "reviews",
        "data": [
            {"index": 0, "label": "positive", "probs": [low, high], "num_classes": 2},
            {"index": 1, "label": "negative", "probs": [high, low], "num_classes": 2},
        ],
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }


def test_without_activation_there_are_logits(url: str) -> None:
    body = {"model": "reviews", "input": "good", "use_activation": False}
    [one] = httpx.post(f"{url}/classify", json=body).json()["data"]
    assert one["probs"] == pytest.approx(np.log([0.1, 0.9]))


class Overconfident(WordCounter):
    """Its bundle has a temperature."""

    def write(self, target: Path, **changes: Any) -> None:
        super().write(target, temperature=2.0, **changes)


def test_vllms_probabilities_are_not_calibrated() -> None:
    with TestClient(create_app(serving_of({"reviews": Overconfident()}))) as client:
        until_ready(client)
        own = client.post("/v1/predict", json={"text": "good"}).json()["predictions"][0]["probabilities"][0]
        vllm = client.post("/classify", json={"input": "good"}).json()["data"][0]["probs"][1]
    assert (own["probability"], vllm) == (pytest.approx(0.75), pytest.approx(0.9))


@pytest.mark.parametrize(
    ("side", "tokens", "label", "read"),
    [
        ("right", 6, "positive", 6),
        ("left", 6, "negative", 6),
        ("right", -1, "positive", 16),
        (None, None, "negative", 16),
    ],
)
def test_vllms_truncation(url: str, side: str | None, tokens: int | None, label: str, read: int) -> None:
    body = {
        "model": "reviews",
        "input": "good " * 10 + "bad " * 20,
        "truncation_side": side,
        "truncate_prompt_tokens": tokens,
    }
    answer = httpx.post(
        f"{url}/classify", content=json.dumps(body), headers={"Content-Type": "application/json"}
    ).json()
    assert (answer["data"][0]["label"], answer["usage"]["prompt_tokens"]) == (label, read)
