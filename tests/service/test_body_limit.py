"""The bound on bodies holds before anything is parsed, whatever the request announces."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from tests.service.doubles import WordCounter
from tests.service.live import live

LIMIT = ServeSettings(max_body_bytes=1024)
JSON = {"Content-Type": "application/json"}


def body_of(size: int) -> bytes:
    frame = len(json.dumps({"text": ""}))
    return json.dumps({"text": "x" * (size - frame)}).encode()


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app({"reviews": WordCounter()}, LIMIT)) as one:
        yield one


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413)])
def test_the_limit_is_the_last_size_that_passes(client: TestClient, size: int, status: int) -> None:
    assert client.post("/v1/predict", content=body_of(size), headers=JSON).status_code == status


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413), (100_000, 413)])
def test_a_body_in_pieces_and_without_a_length_is_counted(client: TestClient, size: int, status: int) -> None:
    body = body_of(size)
    pieces = (body[start : start + 100] for start in range(0, len(body), 100))
    answer = client.post("/v1/predict", content=pieces, headers=JSON)
    assert answer.status_code == status


def test_an_announced_length_is_refused_before_the_body_is_sent() -> None:
    with live({"reviews": WordCounter()}, LIMIT) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: bertline\r\nContent-Type: application/json\r\n"
                b"Content-Length: 99999999\r\n\r\n"
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))  # until the server closes
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer
