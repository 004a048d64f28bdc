"""One request and its response on a connection, as ASGI's ``receive`` and ``send``."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from bertline.service.edge.http1.raw_response import head_of

log = logging.getLogger(__name__)

HIGH_WATER_BYTES = 65_536  # of a body that the app has not received
# ASGI extension: ``http.response.start`` may have the whole body, as ``body``, which saves the way of a second message.
WHOLE_RESPONSE = "bertline.whole_response"


class Connection(Protocol):
    """What a request needs of its connection."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    flow: FlowControl
    server_state: ServerState

    @property
    def closing(self) -> bool:
        """Whether nothing more is written."""
        ...

    def finish(self) -> None:
        """Close the connection after its last response."""

    def on_response_complete(self) -> None:
        """The response has been written."""


class Cycle:
    """A request, its body as it comes, and its response.

    When the client disconnects, the handling is cancelled if it has the whole body; until then ``receive`` tells it.

    Args:
        connection: that the request came on.
        scope: ASGI's.
        keep_alive: whether the connection stays open after the response.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.

    Attributes:
        started: the response has begun.
        complete: it has ended.
        disconnected: the client has gone, or the rest of its request is malformed.
    """

    __slots__ = (
        "_arrived", "_body", "_chunked", "_connection", "_expects_continue", "_given", "_head", "_is_head", "_left",
        "_more", "_waiter", "complete", "disconnected", "keep_alive", "scope", "started", "task",
    )  # fmt: skip

    def __init__(self, connection: Connection, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        self._connection, self.scope = connection, scope
        self.keep_alive, self._expects_continue = keep_alive, expects_continue
        self._body, self._more, self._arrived, self._given = b"", True, False, False
        self._waiter: asyncio.Future[None] | None = None
        self._head, self._is_head = b"", scope["method"] == "HEAD"
        self._chunked, self._left = False, 0
        self.started = self.complete = self.disconnected = False
        self.task: asyncio.Task[None] | None = None

    # ----------------------------------------------------------------------------------------- for the connection

    def add(self, part: bytes) -> bool:
        """A part of the body has come; returns whether reading should pause."""
        self._body = self._body + part if self._body else part
        self._wake()
        return len(self._body) > HIGH_WATER_BYTES

    def end(self) -> None:
        """The body has ended."""
        self._more = False
        self._wake()

    def disconnect(self) -> None:
        """Nobody waits for the response any more."""
        if self.complete:
            return
        self.disconnected = True
        self._wake()
        if self._given and self.task is not None:
            self.task.cancel()

    async def run(self, app: ASGIApp) -> None:
        """Have the app answer."""
        try:
            await app(self.scope, self.receive, self.send)
            if not self.complete and not self.disconnected:
                log.error("the app returned before the end of its response")
                self._fail()
        except BaseException as error:
            if self.disconnected and isinstance(error, asyncio.CancelledError):
                return
            log.error("the app failed", exc_info=error)
            if not self.disconnected:
                self._fail()

    def _fail(self) -> None:
        connection = self._connection
        if self.started:
            connection.transport.write(self._head)
            connection.finish()
            return
        self.keep_alive = False
        plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]
        head = self._begin({"status": 500, "headers": plain})
        connection.transport.write(head + self._framed(b"Internal Server Error", more=False))
        self._complete()

    # ------------------------------------------------------------------------------------------------ for the app

    async def receive(self) -> Message:
        """The next part of the body, or, after it, the disconnect."""
        connection = self._connection
        if self._expects_continue and not connection.closing:
            connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._expects_continue = False
        if not self.disconnected and not self.complete:
            connection.flow.resume_reading()
            if not self._arrived:
                self._waiter = connection.loop.create_future()
                await self._waiter
        self._arrived = False
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        self._given = not self._more
        return {"type": "http.request", "body": body, "more_body": self._more}

    async def send(self, message: Message) -> None:
        """Write a part of the response; the head goes with the first part of the body.

        Raises:
            RuntimeError: the app's response is not one that HTTP/1.1 can frame.
        """
        connection = self._connection
        if connection.flow.write_paused and not self.disconnected:
            await connection.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.started:
            self._head = self._begin(message)
            if "body" not in message:
                return
        elif kind != "http.response.body" or not self.started or self.complete:
            raise RuntimeError(f"the app sent the message {kind} at the wrong time")
        more = message.get("more_body", False)
        data, self._head = self._head + self._framed(message.get("body", b""), more=more), b""
        if data:
            connection.transport.write(data)
        if not more:
            self._complete()

    def _begin(self, message: Message) -> bytes:
        """The head of the response, which says how its body is framed."""
        self.started, self._expects_continue = True, False
        status: int = message["status"]
        headers = message.get("headers", ())
        sized = closes = False
        for name, value in headers:
            if name == b"content-length" and not self._chunked:
                self._left, sized = int(value), True
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self._left, self._chunked = 0, True
            elif name == b"connection" and b"close" in [one.strip() for one in value.lower().split(b",")]:
                self.keep_alive, closes = False, True
        added: list[tuple[bytes, bytes]] = []
        if not self.keep_alive and not closes:
            added.append((b"connection", b"close"))
        if not sized and not self._chunked and not self._is_head and status not in (204, 304):
            self._chunked = True
            added.append((b"transfer-encoding", b"chunked"))
        return head_of(status, [*self._connection.server_state.default_headers, *headers, *added])

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._is_head:
            return b""
        if self._chunked:
            return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the body of the response is not as long as its Content-Length")
        return body

    def _complete(self) -> None:
        self.complete = True
        self._wake()
        if not self.keep_alive:
            self._connection.finish()
        self._connection.on_response_complete()

    def _wake(self) -> None:
        self._arrived = True
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None
