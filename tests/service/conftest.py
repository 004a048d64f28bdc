from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.testing.words import WordCounter, serving_of


def until_ready(client: TestClient) -> TestClient:
    """The client, once every model has answered."""
    deadline_s = time.monotonic() + 30
    while client.get("/health/ready").status_code != 200:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    return client


@pytest.fixture
def model() -> WordCounter:
    return WordCounter()


@pytest.fixture
def client(model: WordCounter) -> Iterator[TestClient]:
    """The real app around a double that answers at once."""
    with TestClient(create_app(serving_of({"reviews": model}))) as one:
        yield until_ready(one)
