"""R3: everything before the body has a bound; what exceeds it is refused at once, in the service's own words."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from bertline.service import ServeSettings
from bertline.service.edge.http1.connection import LINGER_BYTES
from bertline.service.perimeter import Perimeter
from tests.service.recorded import Recorded, recorded, statuses
from tests.service.sockets import connected, rest_of

SETTINGS = ServeSettings(
    drain_s=0,
    max_head_bytes=4_096,
    max_header_bytes=1_024,
    max_headers=20,
    max_target_bytes=512,
    max_body_bytes=2_000,
    body_timeout_s=5,
)
BUFFERS = 16 * 2**20  # of the two sockets, at most
READ_BYTES = 2**18  # that the event loop takes at a time, at most
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Recorded]:
    with recorded(SETTINGS) as one:
        yield one


def answer(server: Recorded, data: bytes) -> tuple[int, dict[str, str]]:
    """Status and error of the response, after which the server closes."""
    with connected(server.url) as connection:
        connection.sendall(data)
        answered = rest_of(connection)
    (status,) = statuses(answered)
    head, _, body = answered.partition(b"\r\n\r\n")
    if status >= 400:
        assert b"\r\nConnection: close" in head or b"\r\nconnection: close" in head
        assert b"x-content-type-options: nosniff" in head.lower()
    return status, json.loads(body).get("error", {})


def header(size: int) -> bytes:
    return b"A: " + b"x" * (size - 3) + b"\r\n"


CLOSE = b"Connection: close\r\n\r\n"
HEAD = len(GET + CLOSE) - 4


@pytest.mark.parametrize(
    ("inside", "beyond", "status", "code", "message"),
    [
        (
            *(GET + header(1_024) + CLOSE, GET + header(1_025) + CLOSE, 431, "head_too_large"),
            "The header of the request exceeds the limit of 1,024 bytes: send less.",
        ),
        (
            GET + b"A: b\r\n" * 18 + CLOSE,
            GET + b"A: b\r\n" * 19 + CLOSE,
            *(431, "head_too_large", "The number of headers of the request exceeds the limit of 20: send less."),
        ),
        (
            GET + header(1_020) * 3 + header(4_096 - HEAD - 3 * 1_022 - 2) + CLOSE,
            GET + header(1_020) * 3 + header(4_096 - HEAD - 3 * 1_022 - 1) + CLOSE,
            *(431, "head_too_large", "The head of the request exceeds the limit of 4,096 bytes: send less."),
        ),
        (
            GET.replace(b"/livez", b"/livez?" + b"a" * 505) + CLOSE,
            GET.replace(b"/livez", b"/livez?" + b"a" * 506) + CLOSE,
            *(414, "target_too_long", "The path with its query exceeds the limit of 512 bytes: send long values in"),
        ),
    ],
    ids=["header", "headers", "head", "target"],
)
def test_a_bound_is_exact(server: Recorded, inside: bytes, beyond: bytes, status: int, code: str, message: str) -> None:
    assert answer(server, inside)[0] == 200
    found, error = answer(server, beyond)
    assert (found, error["code"]) == (status, code)
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("data", "status", "code", "message"),
    [
        (b"GET  / HTTP/1.1\r\n\r\n", 400, "malformed_request", "This is not a valid HTTP/1.1 request: its first line"),
        (b"\x16\x03\x01\x02\x00\x01", 400, "malformed_request", "This is not a valid HTTP/1.1 request: it does not"),
        (
            b"PRI * HTTP/2.0\r\n\r\n",
            505,
            "unsupported_version",
            "This server supports only HTTP/1.1 and HTTP/1.0: use one",
        ),
        (
            GET + b"Expect: a\r\n\r\n",
            417,
            "expectation_failed",
            "This server supports only Expect: 100-continue: leave the header out.",
        ),
        (
            *(GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "unsupported_transfer_encoding"),
            "This server supports only Transfer-Encoding: chunked: compress with Content-Encoding instead.",
        ),
    ],
)
def test_a_malformed_request_gets_the_reason(
    server: Recorded, data: bytes, status: int, code: str, message: str
) -> None:
    found, error = answer(server, data)
    assert (found, error["code"]) == (status, code)
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    "piece",
    [b"a" * 65_536, b"A: b\r\n" * 10_000, b"A: " + b"b" * 65_533],
    ids=["one header", "many headers", "a header in pieces"],
)
@pytest.mark.parametrize("start", [GET + b"A: ", b"GET /", GET + b"Transfer-Encoding: chunked\r\n\r\n1;a="])
def test_64_mb_before_the_body_are_not_taken(server: Recorded, start: bytes, piece: bytes) -> None:
    sent = refused_after(server, start, piece)
    assert sent < LINGER_BYTES + BUFFERS
    assert server.requests == [] or b"chunked" in start


def refused_after(server: Recorded, start: bytes, piece: bytes) -> int:
    """Bytes that went out until the server had closed the connection."""
    server.requests.clear()
    with connected(server.url) as connection:
        connection.sendall(start)
        for number in range(2**26 // len(piece)):
            try:
                connection.sendall(piece)
            except OSError:
                return number * len(piece)
    raise AssertionError("all of it was taken")


def test_a_refused_client_that_is_still_sending_reads_why(server: Recorded) -> None:
    """A reset would take the response away: the server closes its side and goes on reading for a while."""
    with connected(server.url) as connection:
        connection.sendall(GET + b"A: " + b"b" * 300_000)
        assert statuses(rest_of(connection)) == [431]
        connection.sendall(b"b" * 100_000)  # nobody minds
    body = b'{"text": "%s"}' % (b"good " * 100_000)
    for _ in range(20):
        response = httpx.post(f"{server.url}/v1/predict", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 413


def test_an_unread_body_has_a_timeout_too() -> None:
    """R3: the request is answered before its body is there, which then stops coming: the connection ends by itself."""
    settings, named = ServeSettings(drain_s=0, body_timeout_s=0.3), Perimeter(hosts=("localhost", "127.0.0.1"))
    with recorded(settings, named) as server, connected(server.url) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\n{")
        answered = rest_of(connection)
    assert statuses(answered) == [400]
    assert b"connection: close" not in answered.lower()  # it could have been used again


def test_requests_that_are_sent_at_once_are_each_answered(server: Recorded) -> None:
    """More of them than the server lets wait: it stops reading and goes on."""
    many = (GET + b"\r\n") * 2_000 + GET + CLOSE
    with connected(server.url) as connection:
        answered = bytearray()
        connection.settimeout(30)
        sent = 0
        while sent < len(many):
            sent += connection.send(many[sent : sent + 60_000])
            answered += connection.recv(65_536)
        answered += rest_of(connection)
    assert statuses(bytes(answered)) == [200] * 2_001


def test_refusals_are_counted_and_logged_once_a_second(server: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        answer(server, b"nothing\n\n")
    metrics = httpx.get(f"{server.url}/metrics").text
    counted = next(one for one in metrics.splitlines() if one.startswith('bertline_problems_total{code="malformed'))
    assert float(counted.split()[-1]) >= 3
    said = [one.getMessage() for one in caplog.records if "not valid HTTP/1.1" in one.getMessage()]
    assert len(said) <= 2
    assert not any("nothing" in one for one in said)


def test_pipelined_requests_are_read_up_to_a_bound(server: Recorded) -> None:
    """R3: sent as fast as the network takes them, and answered one at a time."""
    requests = (GET + b"\r\n") * 2_000
    with connected(server.url) as connection, ThreadPoolExecutor(1) as sending:

        def send() -> None:
            with suppress(OSError):  # ended below
                while True:
                    connection.sendall(requests)

        sent = sending.submit(send)
        answered = 0
        while answered < 200:
            answered += connection.recv(65536).count(b"HTTP/1.1 200 OK")
        unread = [one.parser.unread for one in server.server.server_state.connections.copy()]
        connection.shutdown(socket.SHUT_RDWR)
        sent.result()
    assert max(unread) > 0, "nothing waited"
    assert max(unread) <= SETTINGS.max_head_bytes + READ_BYTES
