"""Tokens are paid for before anything is computed, and only for an answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.testing.clock import Clock
from bertline.testing.words import WordCounter, WordRanker
from tests.service.limited import limited_client, limits_of

NOON_S = 86_400 * 20_000 + 43_200


def ask(client: TestClient, words: str, path: str = "/v1/predict", **body: Any) -> httpx.Response:
    return client.post(path, json=body or {"text": words}, headers={"X-Client": "ann"})


def left(answer: httpx.Response, policy: str) -> int:
    """Of a limit, as the answer says."""
    items = dict(item.split(";", 1) for item in answer.headers["RateLimit"].split(", "))
    return int(items[f'"{policy}"'].partition(";")[0].removeprefix("r="))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON_S)


def test_the_tokens_that_are_read_are_charged(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_minute=10, tokens_per_day=100)) as client:
        answer = ask(client, "good good")  # and [CLS] and [SEP]
        assert (left(answer, "tokens-per-minute"), left(answer, "tokens-per-day")) == (6, 96)
        assert '"tokens-per-minute";q=10;qu="tokens";w=60' in answer.headers["RateLimit-Policy"]


def test_cut_tokens_are_not_charged(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_day=100), WordCounter(max_tokens=16)) as client:
        assert left(ask(client, "good " * 50), "tokens-per-day") == 84


def test_tokens_that_do_not_fit_are_refused_before_they_are_computed_and_not_charged(clock: Clock) -> None:
    model = WordCounter()
    with limited_client(limits_of(clock, tokens_per_minute=10, tokens_per_day=100), model) as client:
        assert ask(client, "good good good good").status_code == 200
        computed = len(model.batches)
        refused = ask(client, "good good good")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "6")
        assert refused.json()["error"] == {
            "code": "rate_limited",
            "message": "The limit of 10 tokens a minute leaves no room for 5 more: try again in 6 s.",
            "field": None,
        }
        assert len(model.batches) == computed
        assert left(refused, "tokens-per-day") == 94
        assert ask(client, "good good").status_code == 200, "what is left can still be had"
        clock.now_s += 30
        assert ask(client, "good good good").status_code == 200


def test_a_request_larger_than_the_limit_must_be_split(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_minute=5)) as client:
        refused = ask(client, "good good good good")
    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers
    assert refused.json()["error"]["message"] == (
        "The request takes 6 tokens, which the limit of 5 tokens a minute never allows: split it."
    )


def test_a_days_tokens_are_a_quota(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_day=7)) as client:
        assert ask(client, "good good").status_code == 200
        refused = ask(client, "good good")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(43_200))
        assert refused.json()["error"]["code"] == "quota_exceeded"


def test_the_refusal_of_tokens_has_the_shape_of_the_dialect(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_minute=4)) as client:
        answers = [ask(client, "", path="/v1/embeddings", input="good good") for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "60"
    assert "error" in answers[1].json()


def test_an_answer_that_never_came_is_not_paid_for(clock: Clock) -> None:
    with limited_client(limits_of(clock, tokens_per_day=100, requests_per_day=9)) as client:
        assert ask(client, "good good fail").status_code == 500
        answer = ask(client, "good good")
        assert left(answer, "tokens-per-day") == 96
        assert left(answer, "requests-per-day") == 7, "it was a request all the same"


def test_without_limits_nothing_is_charged() -> None:
    with limited_client(limits_of()) as client:
        assert "RateLimit" not in ask(client, "good good").headers


def test_a_ranking_is_charged_the_query_for_each_text_in_every_dialect(clock: Clock) -> None:
    ranked = 2 * (3 + 1 + 2)  # [CLS] and two [SEP], a query of one word, a text of two
    with limited_client(limits_of(clock, tokens_per_minute=4 * ranked), WordRanker()) as client:
        for number, path in enumerate(("/rerank", "/v1/rerank", "/v2/rerank"), 1):
            texts = {"texts" if path == "/rerank" else "documents": ["good bad"] * 2}
            answer = ask(client, "", path, query="so", **texts)
            assert (answer.status_code, left(answer, "tokens-per-minute")) == (200, (4 - number) * ranked)
        refused = ask(client, "", "/v2/rerank", query="so", documents=["good bad"] * 3)
        assert (refused.status_code, "leaves no room for 18 more" in refused.json()["message"]) == (429, True)
