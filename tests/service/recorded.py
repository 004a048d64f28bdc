"""The real server, with a record of each request that reaches its application."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.service import ServeSettings
from bertline.service.perimeter import Perimeter
from bertline.service.run import Server, listen, page_url
from bertline.testing.words import WordCounter, serving_of
from tests.service.live import warm


@dataclass
class Seen:
    """One request as the application got it."""

    method: str
    path: str
    body: bytes = b""


@dataclass
class Recorded:
    """A server and what its application was asked."""

    url: str
    server: Server
    requests: list[Seen] = field(default_factory=list)


@contextmanager
def recorded(settings: ServeSettings | None = None, perimeter: Perimeter | None = None) -> Iterator[Recorded]:
    """Serve a word counter until the block ends."""
    serving = serving_of({"reviews": WordCounter()}, settings or ServeSettings(drain_s=0))
    server = Server(serving, lambda: None, perimeter)
    with listen("127.0.0.1", 0) as listener:
        found = Recorded(page_url(listener), server)
        assert isinstance(server.config.app, object)
        server.config.app = recording(server.config.app, found.requests)  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            warm(found.url)
            found.requests.clear()
            yield found
        finally:
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive(), "the server did not stop"


def recording(app: ASGIApp, requests: list[Seen]) -> ASGIApp:
    """The application, with a record of its requests."""

    async def one(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        seen = Seen(scope["method"], scope["path"])
        requests.append(seen)

        async def received() -> Message:
            message = await receive()
            seen.body += message.get("body", b"")
            return message

        await app(scope, received, send)

    return one


def statuses(data: bytes) -> list[int]:
    """Of the responses in what a connection sent, one after the other, without the interim ones (1xx)."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", head)
        assert status is not None, f"not a response: {head[:80]!r}"
        size = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        data = rest[int(size[1]) if size else 0 :]
        if not status[1].startswith(b"1"):
            found.append(int(status[1]))
    return found
