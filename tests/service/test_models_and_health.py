"""GET /v1/models and the two questions about health."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import JsonValue
from starlette.testclient import TestClient

from bertline.bundle import load
from bertline.errors import UsageError
from bertline.service.app import create_app
from bertline.testing.words import TOPICS, Gated, WordCounter, serving_of
from tests.service.conftest import until_ready

METRICS: dict[str, JsonValue] = {
    "accuracy": {"value": 0.84, "low": 0.82, "high": 0.86},
    "ece": 0.021,
    "rows": 1066,
    "baselines": {"majority": {"accuracy": 0.5}},
}


def test_models_are_described_with_their_measured_figures_and_the_limits() -> None:
    model = WordCounter(metrics=METRICS)
    with TestClient(create_app(serving_of({"films": model}))) as client:
        answer = until_ready(client).get("/v1/models")
    created = load(model.bundle).manifest.created
    assert answer.json() == {
        "models": [
            {
                "name": "films",
                "version": model.version,
                "task": {
                    "task": "classify",
                    "reads": "text",
                    "temperature": 1.0,
                    "problem": "single",
                    "labels": ["negative", "positive"],
                    "thresholds": [],
                },
                "labels": ["negative", "positive"],
                "multi_label": False,
                "max_tokens": 16,
                "truncation": "head_tail",
                "engine": "double",
                "ready": True,
                "metrics": {
                    "accuracy": {"value": 0.84, "low": 0.82, "high": 0.86},
                    "ece": {"value": 0.021, "low": None, "high": None},
                },
            }
        ],
        "limits": {
            "max_batch_texts": 128,
            "max_chars": 50_000,
            "max_request_tokens": 131_072,
            "max_body_bytes": 4_194_304,
            "nearest_texts": False,
        },
        "object": "list",
        "data": [
            {
                "id": "films",
                "object": "model",
                "created": int(datetime.fromisoformat(created).timestamp()),
                "owned_by": "bertline",
            }
        ],
    }


def test_a_model_that_was_not_measured_has_no_figures_and_the_default_model_comes_first() -> None:
    models = {"topics": WordCounter(TOPICS, several=True), "films": WordCounter()}
    with TestClient(create_app(serving_of(models))) as client:
        listed = until_ready(client).get("/v1/models").json()["models"]
    assert [one["name"] for one in listed] == ["topics", "films"]
    assert [one["multi_label"] for one in listed] == [True, False]
    assert [one["metrics"] for one in listed] == [{}, {}]


@pytest.mark.parametrize(("live", "ready"), [("/health/live", "/health/ready"), ("/livez", "/readyz")])
def test_ready_only_once_the_model_has_answered_the_warm_up(live: str, ready: str) -> None:
    model = Gated()
    with TestClient(create_app(serving_of({"slow": model}))) as client:
        assert model.entered.wait(timeout=30)
        assert client.get(live).json() == {"status": "live"}
        refused = client.get(ready)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "not_ready"
        early = client.post("/v1/predict", json={"text": "good"})
        assert (early.status_code, early.json()["error"]["code"]) == (503, "not_ready")
        model.gate.set()
        assert until_ready(client).get(ready).json() == {"status": "ready"}


def test_an_app_without_models_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^there is no model to serve: name at least one bundle$"):
        serving_of({})
