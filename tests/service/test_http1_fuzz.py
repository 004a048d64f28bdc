"""R2, R3: mutated byte streams, held against two other parsers.

    BERTLINE_FUZZ_EXAMPLES=100000 pytest tests/service/test_http1_fuzz.py

No stream raises anything but a refusal, gets more responses than it has requests, or makes the connection keep more
than its bounds. Where ours reads a stream to its end, llhttp (httptools) and h11 read the same requests in it, or
refuse it.
"""

from __future__ import annotations

import asyncio
import os
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import h11
import httptools
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from bertline.service.edge.http1.connection import Http1Connection
from bertline.service.edge.http1.grammar import HeadLimits
from tests.service.recorded import statuses
from tests.service.smuggling import HIDDEN, VECTORS

EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "1500"))
LIMITS = HeadLimits()
Request = tuple[bytes, bytes]  # method, body
Asked = tuple[bytes, bytes, bytes]  # method, target, body
PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b'"',
        b"\\",
        b"\x0b",
        b"\xa0",
        b"0\r\n\r\n",
        b"\r\n\r\n",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Host: a\r\n", b" folded\r\n"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"GET ", b"POST ", b"/", b"http://b/", b"5\r\nhello\r\n", b"1;a=b\r\nx\r\n", HIDDEN),
]


def mutated(examples: int) -> Iterator[bytes]:
    """Streams near to what is known to be read differently; the same ones in each run."""
    drawn = random.Random(13)
    taken, refused = ([one.data for one in VECTORS if bool(one.body) is kind] for kind in (True, False))
    refused = [one for one in refused if len(one) < 4_000]
    for _ in range(examples):
        data = bytearray(drawn.choice(refused if drawn.random() < 0.3 else taken))
        if drawn.random() < 0.3:
            data += drawn.choice(taken)
        for _ in range(drawn.choice((1, 1, 2, 3, 8))):
            place = drawn.randrange(len(data) + 1)
            end = place + drawn.choice((0, 0, 1, 1, 2, 10))
            kind = drawn.random()
            if kind < 0.5:
                data[place:end] = drawn.choice(PIECES)
            elif kind < 0.7:
                del data[place:end]
            elif kind < 0.85:
                data[place:place] = data[place : place + drawn.randrange(1, 60)]
            else:
                data[place:end] = bytes([drawn.randrange(256)])
        yield bytes(data)


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = bytearray(), False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Echo:
    """An application that answers 200 when it has the body, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        self.asked.append((scope["method"].encode(), target, body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class Watched(Http1Connection):
    """Counts its requests."""

    begun = 0
    refused = False

    def on_message_begin(self) -> None:
        self.begun += 1
        super().on_message_begin()

    def _reject(self, problem: Any) -> None:
        self.refused = True
        super()._reject(problem)


async def exchange(config: uvicorn.Config, app: Echo, pieces: list[bytes]) -> tuple[Watched, bytes, Any]:
    """What a connection makes of the pieces: itself, what it wrote, and its parser's state."""
    app.asked.clear()
    connection, transport, state = Watched(config, ServerState(), {}), Transport(), ServerState()
    connection.server_state, connection.tasks = state, state.tasks
    connection.connection_made(transport)
    parser = connection.parser
    for piece in pieces:
        connection.data_received(piece)
        turns = 0
        while turns < 3 or (state.tasks and len(app.asked) + 1 < connection.begun and turns < 50):
            await asyncio.sleep(0)
            turns += 1
        assert parser.unread <= LIMITS.head_bytes + max(map(len, pieces))
    for _ in range(60):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not state.tasks
    return connection, bytes(transport.written), parser


def cut(data: bytes, drawn: random.Random) -> list[bytes]:
    places = sorted({0, len(data), *(drawn.randrange(len(data) + 1) for _ in range(drawn.choice((0, 0, 1, 3))))})
    return [data[one:two] for one, two in pairwise(places)]


async def fuzz(examples: int) -> Counter[str]:
    """Exchange mutated streams; how many were read to their end, and how many refused."""
    drawn, app, ends = random.Random(7), Echo(), Counter[str]()
    config = uvicorn.Config(app, log_config=None, http=Http1Connection, lifespan="off")
    config.load()
    for data in mutated(examples):
        connection, written, parser = await exchange(config, app, cut(data, drawn) or [b""])
        answered, asked = statuses(written), list(app.asked)
        assert len(answered) <= connection.begun, data
        assert answered.count(200) == len(asked), data
        assert all(status == 200 for status in answered[:-1]), data
        if connection.refused:
            ends["refused"] += 1
        elif parser.reading or parser.unread:
            ends["unfinished"] += 1
        else:
            ends["whole"] += 1
            ends["by h11"] += agrees(by_h11, data, asked, h11.RemoteProtocolError)
            ends["by llhttp"] += agrees(by_llhttp, data, asked, httptools.HttpParserError)
    return ends


def agrees(read: Callable[[bytes], list[Request]], data: bytes, asked: list[Asked], refusal: type[Exception]) -> bool:
    """Whether another parser reads it at all; if it does, it must read the same requests."""
    try:
        found = read(data)
    except refusal:
        return False
    assert found == [(method, body) for method, _, body in asked], data
    return True


def by_h11(data: bytes) -> list[Request]:
    """Method and body of each request, as h11 reads them."""
    connection, found = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000), []
    connection.receive_data(data)
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            found.append([event.method, b""])
        elif isinstance(event, h11.Data):
            found[-1][1] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:  # Connection: close
                break
            connection.start_next_cycle()
        else:
            assert event is h11.NEED_DATA or event is h11.PAUSED, event
            break
    return [(method, body) for method, body in found]


class ByLlhttp:
    """Notes what llhttp calls."""

    def __init__(self) -> None:
        self.found: list[list[bytes]] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_headers_complete(self) -> None:
        self.found.append([self.parser.get_method(), b""])

    def on_body(self, body: bytes) -> None:
        self.found[-1][1] += body


def by_llhttp(data: bytes) -> list[Request]:
    """Method and body of each request, as llhttp reads them without offers of another protocol."""
    seen = ByLlhttp()
    seen.parser.set_dangerous_leniencies(lenient_data_after_close=True)
    seen.parser.feed_data(data.replace(b"pgrade", b"pdrage").replace(b"PGRADE", b"PDRAGE"))
    return [(method, body) for method, body in seen.found]


def test_mutated_streams_are_read_as_two_other_parsers_do_or_refused() -> None:
    tracemalloc.start()
    try:
        ends = asyncio.run(fuzz(EXAMPLES))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ends["whole"] > EXAMPLES // 20, ends
    assert ends["refused"] > EXAMPLES // 4, ends
    assert min(ends["by h11"], ends["by llhttp"]) > 0.8 * ends["whole"], ends
    assert most_bytes < 64 * 2**20
    print(ends, f"{most_bytes / 2**20:.1f} MiB at most")


@pytest.mark.parametrize("vector", [one for one in VECTORS if one.body is not None], ids=lambda one: one.name)
def test_another_parser_agrees_about_every_vector_that_is_taken(vector: Any) -> None:
    asked = [(vector.data.strip().split(b" ")[0], b"", vector.body)]
    assert agrees(by_h11, vector.data.removeprefix(b"\r\n"), asked, h11.RemoteProtocolError)
    assert agrees(by_llhttp, vector.data, asked, httptools.HttpParserError) or b"\t" in vector.data
