"""An error that nobody foresaw tells the client nothing and the log everything but the text."""

from __future__ import annotations

import logging

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.testing.words import Buggy, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm


def test_the_answer_and_the_log_share_a_number_and_neither_has_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with TestClient(create_app(serving_of({"reviews": Buggy()}))) as client:
        answer = until_ready(client).post("/v1/predict", json={"text": "fail, my secret"})
    assert answer.status_code == 500
    number = answer.headers["X-Request-Id"]
    assert answer.json()["error"] == {
        "code": "internal",
        "message": f"The server failed on this request; its log has the details under {number}.",
        "field": None,
    }
    [record] = [one for one in caplog.records if one.levelno >= logging.ERROR]
    message = record.getMessage()
    assert message.startswith(f"request {number}, POST /v1/predict: builtins.ValueError\n")
    assert "words.py" in message
    assert "secret" not in caplog.text


def test_the_real_server_logs_no_text_either(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with live({"reviews": Buggy()}) as url:
        warm(url)
        assert httpx.post(f"{url}/v1/predict", json={"text": "fail, my secret"}).status_code == 500
        assert httpx.post(f"{url}/v1/predict", json={"text": "good"}).status_code == 200
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text + "".join(capfd.readouterr())
