"""The short way gives the framework's answers, which a charset in Content-Type asks for."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.service.hot_routes import HotRoutes

SHORT, LONG = "application/json", "application/json; charset=utf-8"
CASES: list[tuple[str, Any]] = [
    ("/v1/predict", {"text": "good"}),
    ("/v1/predict", {"texts": ["good", "bad"], "top_k": 1}),
    ("/v1/predict", {"text": ""}),
    ("/v1/predict", {"text": 1}),
    ("/v1/predict", {"text": "good", "model": "nobody"}),
    ("/v1/predict", {"txet": "good"}),
    ("/v1/predict", []),
    ("/predict", {"inputs": "good", "odd": True}),
    ("/predict", {"inputs": ""}),
    ("/predict", {"inputs": {}}),
    ("/embed", {"inputs": ["good", "bad"]}),
    ("/embed", {"inputs": "good", "dimensions": 10_000}),
    ("/", {"inputs": "good"}),
    ("/", {"inputs": "good", "parameters": {"top_k": 1}}),
    ("/", {"inputs": "good", "parameters": {"topk": 1}}),
    ("/", {"inputs": [{"text": "good", "text_pair": "bad"}]}),
    ("/", {"inputs": {"source_sentence": "good", "sentences": ["bad", "good bad"]}}),
    ("/", {"inputs": "good", "normalize": True, "odd": 1}),
    ("/", {}),
    ("/", 1),
    ("/models/reviews", {"inputs": "good", "parameters": {}}),
    ("/models/nobody", {"inputs": "good"}),
    ("/v1/embeddings", {"input": ["good", "bad"]}),
    ("/v1/embeddings", {"input": "good", "encoding_format": "base64", "user": "ann", "priority": 1}),
    ("/v1/embeddings", {"input": "good", "encoding_format": "hex"}),
    ("/v1/embeddings", {"input": "good", "odd": 1}),
]


@pytest.mark.parametrize(("path", "body"), CASES)
def test_both_ways_answer_the_same(client: TestClient, path: str, body: Any) -> None:
    short, long = (
        client.post(path, content=json.dumps(body), headers={"Content-Type": kind}) for kind in (SHORT, LONG)
    )
    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert _untimed(short) == _untimed(long)


def test_only_requests_with_nothing_unusual_take_the_short_way(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, answered = HotRoutes.answer, []

    async def noted(self: HotRoutes, *arguments: Any) -> Any:
        response = await answer(self, *arguments)
        answered.append(response is not None)
        return response

    monkeypatch.setattr(HotRoutes, "answer", noted)
    client.post("/v1/predict", json={"text": "good"})
    client.post("/v1/predict", json={"text": 1})  # looked at, and left to the framework
    client.post("/v1/predict", json={"text": "good"}, headers={"X-Request-Timeout-Ms": "1000"})
    client.post("/v1/tokenize", json={"text": "good"})
    assert answered == [True, False, False, False]


def _untimed(response: httpx.Response) -> list[tuple[str, str]]:
    """Its headers but the times and the number of the request."""
    timed = re.compile(r"server-timing|x-request-id|x-.*-time")
    return [one for one in response.headers.items() if not timed.fullmatch(one[0])]
