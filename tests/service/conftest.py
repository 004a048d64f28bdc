from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from tests.service.doubles import WordCounter


@pytest.fixture
def model() -> WordCounter:
    return WordCounter()


@pytest.fixture
def client(model: WordCounter) -> Iterator[TestClient]:
    """The real app around a double that answers at once."""
    with TestClient(create_app({"reviews": model}, ServeSettings())) as one:
        yield one
