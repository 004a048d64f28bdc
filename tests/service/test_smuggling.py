"""R1, R2, R3: no byte of a body is ever read as a request, by any published way to have it read so."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest

from bertline.service.perimeter import Perimeter
from tests.service.recorded import Recorded, Seen, recorded, statuses
from tests.service.smuggling import HIDDEN, HIDDEN_PATH, JSON, VECTORS, Vector, length, post
from tests.service.sockets import connected, rest_of

LAST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Recorded]:
    with recorded() as one:
        yield one


def named(vectors: list[Vector]) -> list[object]:
    return [pytest.param(one, id=one.name.replace(" ", "-")) for one in vectors]


def exchange(server: Recorded, *pieces: bytes) -> tuple[list[int], list[Seen]]:
    """The statuses of all responses until the server closes, and what its application was asked."""
    server.requests.clear()
    with connected(server.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        answered = rest_of(connection)
    return statuses(answered), list(server.requests)


def test_at_least_sixty_vectors_are_distinguished() -> None:
    assert len({one.name for one in VECTORS}) == len(VECTORS) >= 60


@pytest.mark.parametrize("vector", named([one for one in VECTORS if one.body is None]))
def test_a_malformed_request_gets_one_response_and_nothing_after_it_is_read(server: Recorded, vector: Vector) -> None:
    answered, asked = exchange(server, vector.data + LAST)
    assert answered == [vector.status]
    assert HIDDEN_PATH not in [one.path for one in asked]
    assert not [one for one in asked if one.path != "/v1/predict"]  # its own request at most, whose body broke off


@pytest.mark.parametrize("vector", named([one for one in VECTORS if one.body is not None]))
def test_a_body_stays_a_body_and_the_next_request_begins_after_it(server: Recorded, vector: Vector) -> None:
    answered, asked = exchange(server, vector.data + LAST)
    assert answered == [vector.status, 200]
    assert [one.body for one in asked] == [vector.body, b""]
    assert asked[1].path == "/livez"


@pytest.mark.parametrize("vector", named([one for one in VECTORS if one.body is not None]))
def test_the_split_into_chunks_does_not_matter(server: Recorded, vector: Vector) -> None:
    half = len(vector.data) // 2
    head = vector.data.index(b"\r\n\r\n", 2) + 4
    for cuts in ([head], [half], [1, 2, 3, head - 1, head + 1]):
        places = sorted({0, *(one for one in cuts if 0 < one < len(vector.data)), len(vector.data)})
        pieces = [vector.data[one:two] for one, two in pairwise(places)]
        answered, asked = exchange(server, *pieces, LAST)
        assert (answered, [one.body for one in asked]) == ([vector.status, 200], [vector.body, b""])


def test_requests_sent_together_are_answered_in_their_order(server: Recorded) -> None:
    predict = next(one.data for one in VECTORS if one.name == "head: an empty line first")
    answered, asked = exchange(server, predict * 3 + LAST)
    assert answered == [200] * 4
    assert [one.path for one in asked] == ["/v1/predict"] * 3 + ["/livez"]


def test_an_unparsable_request_does_not_overtake_the_previous_response(server: Recorded) -> None:
    predict = next(one.data for one in VECTORS if one.name == "head: absolute target")
    answered, asked = exchange(server, predict + b"nothing\n" + LAST)
    assert (answered, len(asked)) == ([200, 400], 1)


@pytest.fixture(scope="module")
def choosy() -> Iterator[Recorded]:
    """A server that refuses requests for other hosts before their body is read."""
    with recorded(perimeter=Perimeter(hosts=("localhost", "127.0.0.1"))) as one:
        yield one


def test_a_client_that_withholds_its_body_is_sent_one_100_continue(choosy: Recorded) -> None:
    """R2: after a response without 100 Continue nobody can know whether the body comes, so the connection is closed."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: evil.example\r\nExpect: 100-continue\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
    with connected(choosy.url) as connection:
        connection.sendall(head)
        refusal = connection.recv(65_536)
        assert (statuses(refusal), b"connection: close" in refusal.lower()) == ([400], True)
        connection.sendall(HIDDEN + LAST)
        assert rest_of(connection) == b""


def test_an_unread_body_is_still_a_body(choosy: Recorded) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: evil.example\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    for pieces in ([head, HIDDEN, LAST], [head + HIDDEN + LAST], [head + HIDDEN[:9], HIDDEN[9:] + LAST]):
        answered, asked = exchange(choosy, *pieces)
        assert (answered, [one.path for one in asked]) == ([400, 200], ["/v1/predict", "/livez"])


def test_a_body_after_100_continue_leaves_the_connection_open(server: Recorded) -> None:
    head = post(b"Expect: 100-continue\r\n", length(JSON))
    with connected(server.url) as connection:
        connection.sendall(head)
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(JSON + LAST)
        assert statuses(rest_of(connection)) == [200, 200]
