"""GET /v1/models and the two questions about health."""

from __future__ import annotations

import time

import pytest
from pydantic import JsonValue
from starlette.testclient import TestClient

from bertline.errors import UsageError
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.serving import measured_figures
from tests.service.doubles import Gated, WordCounter

METRICS: dict[str, JsonValue] = {
    "accuracy": {"value": 0.84, "low": 0.82, "high": 0.86},
    "ece": 0.021,
    "rows": 1066,
    "baselines": {"majority": {"accuracy": 0.5}},
}


def test_models_are_described_with_their_measured_figures_and_the_limits() -> None:
    with TestClient(create_app({"films": WordCounter(metrics=METRICS)}, ServeSettings())) as client:
        answer = client.get("/v1/models")
    assert answer.json() == {
        "models": [
            {
                "name": "films",
                "version": "3f2a9c1e",
                "labels": ["negative", "positive"],
                "max_tokens": 16,
                "metrics": {
                    "accuracy": {"value": 0.84, "low": 0.82, "high": 0.86},
                    "ece": {"value": 0.021, "low": None, "high": None},
                },
            }
        ],
        "limits": {"max_batch_texts": 128, "max_chars": 50_000, "max_body_bytes": 4_194_304},
    }


def test_a_predictor_that_says_nothing_of_its_figures_has_none() -> None:
    silent = WordCounter()
    del silent.metrics
    assert measured_figures(silent) == {}


def test_ready_only_once_the_model_has_answered_the_warm_up() -> None:
    model = Gated()
    with TestClient(create_app({"slow": model}, ServeSettings())) as client:
        assert model.entered.wait(timeout=30)
        assert client.get("/health/live").json() == {"status": "live"}
        refused = client.get("/health/ready")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "not_ready"
        model.gate.set()
        deadline_s = time.monotonic() + 30
        while client.get("/health/ready").status_code != 200:
            assert time.monotonic() < deadline_s
        assert client.get("/health/ready").json() == {"status": "ready"}


def test_an_app_without_models_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^there is no model to serve: name at least one bundle$"):
        create_app({}, ServeSettings())
