"""A client that sends its request drop by drop is not waited for, and nobody waits because of it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from bertline.service import ServeSettings
from bertline.service.edge.http1.connection import Http1Connection, Http1Settings
from bertline.testing.words import Gated, WordCounter
from tests.service.live import live, warm
from tests.service.sockets import HEAD, connected, request_of, rest_of

BOUND_S = 0.4


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter()}, ServeSettings(drain_s=0, body_timeout_s=BOUND_S)) as one:
        yield warm(one)


@pytest.mark.parametrize("head", [b"", b"POST /v1/pre", HEAD, HEAD + b"X-Slow: a"])
def test_a_head_that_does_not_come_ends_the_connection(url: str, head: bytes) -> None:
    with connected(url) as connection:
        began_s = time.monotonic()
        connection.sendall(head)
        assert rest_of(connection) == b""
        assert 0.5 * BOUND_S < time.monotonic() - began_s < 20


def test_a_header_now_and_then_does_not_win_time_and_others_are_served_meanwhile(url: str) -> None:
    with connected(url) as slow:
        began_s, served = time.monotonic(), 0
        slow.sendall(HEAD)
        while not closed(slow):
            assert time.monotonic() - began_s < 20
            assert httpx.post(f"{url}/v1/predict", json={"text": "good"}).status_code == 200
            served += 1
        assert time.monotonic() - began_s > BOUND_S / 2
        assert served >= 1


def closed(slow: socket.socket) -> bool:
    """Whether the server has closed the connection, asked by sending it one more header."""
    try:
        slow.sendall(b"X-Drop: a\r\n")
    except OSError:
        return True
    readable, _, _ = select.select([slow], [], [], 0)
    return bool(readable) and not slow.recv(100)


def test_a_connection_that_is_used_again_has_its_time_again(url: str) -> None:
    request = request_of({"text": "good"})
    with connected(url) as connection:
        began_s = time.monotonic()
        while time.monotonic() - began_s < 1.5 * BOUND_S:  # longer than one head may take
            connection.sendall(request[:40])
            connection.sendall(request[40:])
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
        connection.sendall(request[:40])
        assert rest_of(connection) == b""


def test_a_response_may_take_longer_than_a_request_head() -> None:
    model = Gated()
    model.gate.set()
    settings = ServeSettings(drain_s=0, body_timeout_s=BOUND_S)
    with live({"reviews": model}, settings) as url, connected(warm(url)) as connection, connected(url) as silent:
        model.gate.clear()
        model.entered.clear()
        connection.sendall(request_of({"text": "good"}))
        assert model.entered.wait(timeout=30)
        assert rest_of(silent) == b""  # the time of a head has passed
        model.gate.set()
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_the_bound_is_a_setting() -> None:
    assert Http1Connection.with_settings(Http1Settings(head_timeout_s=3)).settings.head_timeout_s == 3
    assert Http1Connection.settings.head_timeout_s == 20
