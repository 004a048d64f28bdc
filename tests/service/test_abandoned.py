"""A client that has gone is not computed for."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from bertline.service import ServeSettings
from bertline.service.edge.http1.connection import Http1Connection
from bertline.testing.words import Gated
from tests.service.fronted import admitting
from tests.service.live import live, warm
from tests.service.sockets import connected, request_of

SETTINGS = ServeSettings(drain_s=0, lanes=1)


def waits_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def waiting_texts(url: str) -> float:
    """As the server's own metrics have it."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("bertline_queue_texts"))


@pytest.mark.parametrize("reset", [False, True])
def test_texts_that_wait_are_dropped_when_their_client_goes(reset: bool) -> None:
    model = Gated()
    model.gate.set()
    with live({"reviews": model}, SETTINGS) as url:
        warm(url)
        model.batches.clear()
        model.gate.clear()
        model.entered.clear()
        with connected(url) as first, connected(url) as leaving:
            first.sendall(request_of({"text": "bad"}))
            assert model.entered.wait(timeout=30)
            leaving.sendall(request_of({"texts": ["good good"] * 9}))
            waits_until(lambda: waiting_texts(url) == 9)
            if reset:
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            leaving.close()
            waits_until(lambda: waiting_texts(url) == 0)
            model.gate.set()
            assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert httpx.post(f"{url}/v1/predict", json={"text": "good"}).status_code == 200
    assert model.batches == [[3], [3]]


def test_computed_rows_are_delivered_to_the_others_of_a_batch() -> None:
    model = Gated()
    model.gate.set()
    with live({"reviews": model}, SETTINGS) as url:
        warm(url)
        model.gate.clear()
        model.entered.clear()
        with connected(url) as first, connected(url) as leaving, connected(url) as staying:
            first.sendall(request_of({"text": "bad"}))
            assert model.entered.wait(timeout=30)
            leaving.sendall(request_of({"text": "good"}))
            staying.sendall(request_of({"text": "good"}))
            waits_until(lambda: waiting_texts(url) == 2)
            model.entered.clear()
            model.gate.set()
            assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
            leaving.close()
            assert staying.recv(65536).startswith(b"HTTP/1.1 200 ")


# ------------------------------------------------------------------------------------------- the handling by itself


class Outgoing(asyncio.Transport):
    """Keeps what the server writes; nothing else is there to read or write."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = b"", False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return False


def written(app: Any, request: bytes, *, then_s: float | None = None) -> bytes:
    """What the server writes for a request, if its client disconnects after ``then_s`` seconds."""

    async def run() -> bytes:
        state, transport = ServerState(), Outgoing()
        config = uvicorn.Config(admitting(app), log_config=None, http=Http1Connection, lifespan="off")
        connection = Http1Connection(config, state, {})
        connection.connection_made(transport)
        connection.data_received(request)
        tasks = {*state.tasks}
        if then_s is not None:
            await asyncio.sleep(then_s)
            connection.connection_lost(None)
        await asyncio.gather(*tasks)
        connection.connection_lost(None)
        return transport.written

    return asyncio.run(run())


REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
BODY: Message = {"type": "http.request", "body": b"{}", "more_body": False}


def test_the_handling_of_a_request_is_cancelled_and_nothing_is_raised() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == BODY
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    assert written(app, REQUEST, then_s=0.01) == b""
    assert ended == ["cancelled"]


def test_an_app_that_awaits_the_disconnect_is_notified() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        try:
            seen.append(await receive())
        except asyncio.CancelledError:
            seen.append(await receive())

    written(app, REQUEST, then_s=0.01)
    assert seen == [BODY, {"type": "http.disconnect"}]


def test_a_response_in_parts_is_whole_and_its_end_is_the_end_of_the_watch() -> None:
    parts: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": False},
    ]
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for part in parts:
            await send(part)
        await asyncio.sleep(0.05)  # the connection closes meanwhile, which is no harm
        ended.append("by itself")

    assert written(app, REQUEST, then_s=0.01).endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    assert ended == ["by itself"]


def test_a_client_that_leaves_before_its_body_arrives_never_reaches_the_app() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody asked")

    assert written(app, REQUEST[:-1], then_s=0.01) == b""


def test_an_error_is_answered_and_the_cancellation_of_others_passes() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("ours")

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    async def told() -> None:
        async def receive() -> Message:
            return BODY

        async def send(message: Message) -> None:
            raise AssertionError("nothing is sent")

        scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": []}
        await admitting(cancelled)(scope, receive, send)

    assert written(failing, REQUEST).startswith(b"HTTP/1.1 500 ")
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(told())
