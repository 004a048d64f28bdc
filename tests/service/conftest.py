from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.testing.words import WordCounter, serving_of
from tests.service.browsing import Visit, browser_at, visits


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


@contextmanager
def client_of(model: WordCounter) -> Iterator[TestClient]:
    """The real app around a double that answers at once."""
    with TestClient(create_app(serving_of({"reviews": model}))) as one:
        yield until_ready(one)


@pytest.fixture(scope="module")
def shared_client() -> Iterator[TestClient]:
    with client_of(WordCounter()) as one:
        yield one


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A client of the app that all tests of a file share; one that takes ``model`` has an app of its own."""
    if "model" in request.fixturenames:
        with client_of(request.getfixturevalue("model")) as one:
            yield one
    else:
        yield request.getfixturevalue("shared_client")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for the tests of a file."""
    with browser_at(chromium) as one:
        yield one


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages for one test."""
    with visits(browser) as go:
        yield go
