"""A client that has gone is not computed for."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from bertline.service import ServeSettings
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


def told(app: Any, received: list[Message], *, then: float | None = None) -> list[Message]:
    """What the app sends, given what the server receives; after ``then`` seconds the connection closes."""
    sent: list[Message] = []

    async def receive() -> Message:
        if received:
            return received.pop(0)
        await asyncio.sleep(1000 if then is None else then)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append({**message, "headers": []} if message["type"] == "http.response.start" else message)

    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": []}
    asyncio.run(admitting(app)(scope, receive, send))
    return sent


BODY: Message = {"type": "http.request", "body": b"{}", "more_body": False}
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def test_the_handling_of_a_request_is_cancelled_and_nothing_is_raised() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == BODY
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    assert told(app, [BODY], then=0.01) == []
    assert ended == ["cancelled"]


def test_an_app_that_waits_for_the_end_of_the_connection_is_told() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        try:
            seen.append(await receive())
        except asyncio.CancelledError:
            seen.append(await receive())

    told(app, [BODY], then=0.01)
    assert seen == [BODY, {"type": "http.disconnect"}]


def test_an_answer_in_parts_passes_and_its_end_is_the_end_of_the_watch() -> None:
    parts: list[Message] = [
        START,
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": False},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for part in parts:
            await send(part)
        await asyncio.sleep(0.05)  # the server reports the end of the connection now, which is no harm

    assert told(app, [BODY], then=0.01) == parts


def test_a_client_that_goes_before_its_body_came_reaches_no_app() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody asked")

    assert told(app, [{"type": "http.disconnect"}]) == []


def test_an_error_is_answered_and_the_cancellation_of_others_passes() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("ours")

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    assert told(failing, [BODY])[0]["status"] == 500
    with pytest.raises(asyncio.CancelledError):
        told(cancelled, [BODY])
