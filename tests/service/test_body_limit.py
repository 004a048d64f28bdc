"""The bound on bodies holds before anything is parsed, whatever the request announces."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm
from tests.service.sockets import HEAD, connected, request_of, rest_of

LIMIT = ServeSettings(max_body_bytes=1024, drain_s=0)
JSON = {"Content-Type": "application/json"}


def body_of(size: int) -> bytes:
    frame = len(json.dumps({"text": ""}))
    return json.dumps({"text": "x" * (size - frame)}).encode()


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, LIMIT))) as one:
        yield until_ready(one)


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
    with live({"reviews": WordCounter()}, LIMIT) as url, connected(url) as connection:
        connection.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


def test_a_body_that_stops_on_its_way_is_refused() -> None:
    settings = ServeSettings(drain_s=0, body_timeout_s=0.2)
    with live({"reviews": WordCounter()}, settings) as url:
        for part in (b"", b'{"text": '):
            with connected(url) as connection:
                connection.sendall(HEAD + b"Content-Length: 999\r\n\r\n" + part)
                assert httpx.get(f"{url}/livez").status_code == 200  # nobody waits with it
                answer = rest_of(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"connection: close" in answer.lower()
            assert (
                b'"code":"body_too_slow","message":"No part of the body came for 0.2 s: send it in one go."' in answer
            )


def test_a_body_in_pieces_over_a_socket_is_one_request() -> None:
    with live({"reviews": WordCounter()}, LIMIT) as url, connected(warm(url)) as connection:
        request = request_of({"text": "good", "top_k": 1})
        for start in range(0, len(request), 7):
            connection.sendall(request[start : start + 7])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_byte_now_and_then_does_not_hold_a_connection_for_ever() -> None:
    settings = ServeSettings(drain_s=0, body_timeout_s=0.2)
    with live({"reviews": WordCounter()}, settings) as url, connected(warm(url)) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        sent, answer = 0, b""
        connection.settimeout(0.1)
        while not answer:
            sent += 1
            assert sent < 200
            connection.sendall(b" ")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"was not complete after 0.6 s" in answer + rest_of(connection)
        assert sent > 2
