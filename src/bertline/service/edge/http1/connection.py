"""Uvicorn's connection with our parser in place of httptools': strict framing, bounds on heads, one request at a time.

Uvicorn reads on while it answers, so that a request that cannot be framed is refused before the one ahead of it has its
answer; and bytes after an offer of another protocol (``Upgrade``) are taken for a request. Here the next request is
read when the one before has been answered, and after a refusal nothing is.

What is refused at the sight of its head (``service/edge/shedding.py``) never becomes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bertline.service.edge.http1.grammar import HeadLimits
from bertline.service.edge.http1.parser import RequestParser
from bertline.service.edge.raw_response import raw_response
from bertline.service.edge.shedding import Headers
from bertline.service.edge.tls import extensions
from bertline.service.problems import response_of
from bertline.serving.problems import Problem

Refuse = Callable[[bytes, bytes, Headers], bytes | None]

LINGER_S = 2.0  # in which a client that is refused may go on sending, so that it reads why
LINGER_BYTES = 2**20  # it may send in that time

# In the place of uvicorn's handling of a request: it has ended already, so what is left of the body is thrown away.
REFUSED: Any = SimpleNamespace(
    response_started=False, response_complete=True, message_event=asyncio.Event(), disconnected=False
)


class Http1Settings(NamedTuple):
    """How the connections of a server behave.

    Attributes:
        limits: bounds on heads.
        head_timeout_s: from the connection's beginning, or the first byte of a request, to the head's last byte. Also
            for a body that nobody reads, because its request has been answered.
        refuse: from method, target and headers to the whole response, if the request is to be refused at once.
        on_malformed: is told of each connection that ends because of what came.
    """

    limits: HeadLimits = HeadLimits()
    head_timeout_s: float = 20.0
    refuse: Refuse = lambda method, target, headers: None
    on_malformed: Callable[[Problem], None] = lambda problem: None


class Http1Connection(HttpToolsProtocol):
    """One connection; made per server by ``Http1Connection.with_settings``."""

    settings = Http1Settings()
    parser: Any  # ours; uvicorn's annotation is httptools'
    _impatience: asyncio.TimerHandle | None = None
    _refusal: bytes | None = None
    _linger_bytes: int | None = None  # what a refused client may still send

    @classmethod
    def with_settings(cls, settings: Http1Settings) -> type[Http1Connection]:
        """The protocol of a server: uvicorn makes instances and has no place for arguments."""
        return type(cls.__name__, (cls,), {"settings": settings})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts."""
        super().connection_made(transport)
        self.parser = RequestParser(self, self.settings.limits)
        self.flow = _Flow(transport, lambda: self.backlogged)
        self._extensions = extensions(transport)
        self._wait(self.settings.head_timeout_s)

    @property
    def lingering(self) -> bool:
        """Whether nothing more is answered, and only the client's end of the connection is awaited."""
        return self._linger_bytes is not None

    @property
    def backlogged(self) -> bool:
        """Whether the requests that wait for the one ahead of them are enough, and no more bytes should be read."""
        parser = self.parser
        return parser is not None and parser.held and parser.unread > self.settings.limits.head_bytes

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests; after a refusal they are only counted."""
        self._unset_keepalive_if_required()
        if self._linger_bytes is not None:
            self._linger_bytes -= len(data)
            if self._linger_bytes < 0:
                self._give_up()
            return
        try:
            self.parser.feed_data(data)
        except Problem as problem:
            self._reject(problem)
            return
        if self.backlogged:
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        """The clock starts, for a connection that is used again."""
        self._unset_keepalive_if_required()  # the request may have come with the one before
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        if self._impatience is None:
            self._wait(self.settings.head_timeout_s)

    def on_headers_complete(self) -> None:
        """The clock stops, unless the request is refused: then it goes on until the body is there too."""
        # A client that does not read its responses has to wait for them: only the long way does that.
        if self.parser.should_keep_alive() and not self.flow.write_paused:
            self._refusal = self.settings.refuse(self.parser.get_method(), self.url, self.headers)
        if self._refusal is not None:
            self.cycle = REFUSED
            return
        self._stop_waiting()
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, section 10.1.1
        super().on_headers_complete()
        self.cycle.transport = _Outgoing(self)  # type: ignore[assignment]
        if self.expect_100_continue:
            # A client that has its response before 100 Continue may never send the body (RFC 9110, section 10.1.1):
            # its next request would be taken for that body.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The whole request is there: the moment to say no, if it was refused."""
        self._stop_waiting()
        if self._refusal is not None:
            response, self._refusal = self._refusal, None
            if not self.transport.is_closing():
                self.transport.write(response)
                self.on_response_complete()
            return
        super().on_message_complete()
        if self.expect_100_continue and not self.cycle.response_started:  # the body came after all
            self.cycle.keep_alive = self.parser.should_keep_alive()
        if not self.cycle.response_complete:
            self.parser.hold()
        elif not self.transport.is_closing():
            self._wait_for_next()

    def on_response_complete(self) -> None:
        """Read on: the next request, or what is left of this one's body."""
        if self.lingering:
            return
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.parser.reading:
            self._unset_keepalive_if_required()
            self._wait(self.settings.head_timeout_s)
        try:
            self.parser.resume()
        except Problem as problem:
            self._reject(problem)
            return
        if self.backlogged:  # a request that was refused meanwhile had reading resumed
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def shutdown(self) -> None:
        """The server stops: who was refused is not waited for."""
        if self.lingering:
            self._give_up()
        else:
            super().shutdown()

    def finish(self) -> None:
        """The last response of the connection is written."""
        if self.parser is not None and self.parser.reading:
            self._linger()
        else:
            self.transport.close()

    def _reject(self, problem: Problem) -> None:
        """Say why, and read nothing more; a request whose body broke off is over."""
        self.settings.on_malformed(problem)
        cycle: Any = self.cycle if self.parser.reading_body else None
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.transport.is_closing():
            return
        if cycle is None or not cycle.response_started:
            self.transport.write(b"".join(raw_response(response_of(problem, {"Connection": "close"}))))
        self._linger()

    def _linger(self) -> None:
        """Close in two steps (RFC 9112, section 9.6): a reset would take the response from who is still sending."""
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self._linger_bytes = LINGER_BYTES
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # TLS has no such half
            self.transport.write_eof()
        self._wait(LINGER_S)

    def _wait_for_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._impatience = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _give_up(self) -> None:
        if self.lingering:
            self.transport.abort()  # nobody reads what is still to be written
        elif not self.transport.is_closing():
            self.transport.close()


class _Flow(FlowControl):
    """Uvicorn's, which resumes reading at each response and each ``receive()``: here only while there is room."""

    def __init__(self, transport: asyncio.Transport, full: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._full = full

    def resume_reading(self) -> None:
        """Read on, unless enough requests wait."""
        if not self._full():
            super().resume_reading()


class _Outgoing:
    """The transport as the handling of a request sees it: closing it waits for a client that is still sending."""

    def __init__(self, connection: Http1Connection) -> None:
        self._connection, self.write = connection, connection.transport.write

    def is_closing(self) -> bool:
        return self._connection.lingering or self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.finish()
