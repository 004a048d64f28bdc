"""Uvicorn's connection with our parser instead of httptools': strict framing, limits on heads, one request at a time.

Uvicorn reads ahead while it answers, so it rejects a malformed request before it has answered the one ahead; and it
parses bytes after an ``Upgrade`` as a request. Here the next request is read after the response to the one before, and
nothing is read after a rejection.

A request that is shed from its head (``service/edge/shedding.py``) never becomes a task.
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

LINGER_S = 2.0  # how long a rejected client may go on sending, so that it reads the response
LINGER_BYTES = 2**20  # that it may send in that time

# Replaces uvicorn's request cycle: it is complete, so the rest of the body is discarded.
REFUSED: Any = SimpleNamespace(
    response_started=False, response_complete=True, message_event=asyncio.Event(), disconnected=False
)


class Http1Settings(NamedTuple):
    """The settings of a server's connections.

    Attributes:
        limits: of heads.
        head_timeout_s: from the start of the connection, or the first byte of a request, to the end of the head; also
            for the rest of a body whose request has been answered.
        refuse: returns the whole response for method, target and headers of a request to shed, else None.
        on_malformed: called for each connection that is closed for malformed input.
    """

    limits: HeadLimits = HeadLimits()
    head_timeout_s: float = 20.0
    refuse: Refuse = lambda method, target, headers: None
    on_malformed: Callable[[Problem], None] = lambda problem: None


class Http1Connection(HttpToolsProtocol):
    """One connection; ``Http1Connection.with_settings`` creates the class for a server."""

    settings = Http1Settings()
    parser: Any  # ours; uvicorn's annotation is httptools'
    _timer: asyncio.TimerHandle | None = None
    _refusal: bytes | None = None
    _linger_bytes: int | None = None  # that a rejected client may still send

    @classmethod
    def with_settings(cls, settings: Http1Settings) -> type[Http1Connection]:
        """The protocol of a server: uvicorn creates instances without arguments."""
        return type(cls.__name__, (cls,), {"settings": settings})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout."""
        super().connection_made(transport)
        self.parser = RequestParser(self, self.settings.limits)
        self.flow = _Flow(transport, lambda: self.backlogged)
        self._extensions = extensions(transport)
        self._wait(self.settings.head_timeout_s)

    @property
    def lingering(self) -> bool:
        """Whether the connection only waits for the client to close it."""
        return self._linger_bytes is not None

    @property
    def backlogged(self) -> bool:
        """Whether enough pipelined requests are buffered, so that reading should pause."""
        parser = self.parser
        return parser is not None and parser.held and parser.unread > self.settings.limits.head_bytes

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeout."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; after a rejection only count them."""
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
        """Start the timeout, for a reused connection."""
        self._unset_keepalive_if_required()  # a pipelined request
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        if self._timer is None:
            self._wait(self.settings.head_timeout_s)

    def on_headers_complete(self) -> None:
        """Stop the timeout, unless the request is shed: then it includes the body."""
        # A client that does not read its responses must wait, and only uvicorn's cycle does that.
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
            # A client that gets its response before 100 Continue may never send the body (RFC 9110, section 10.1.1):
            # its next request would be parsed as that body.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Send the response of a shed request, or let uvicorn handle the request."""
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
        """Read the next request, or the rest of this one's body."""
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
        if self.backlogged:  # a request that was shed meanwhile has resumed reading
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def shutdown(self) -> None:
        """Shut down, without waiting for rejected clients."""
        if self.lingering:
            self._give_up()
        else:
            super().shutdown()

    def finish(self) -> None:
        """Close the connection after its last response."""
        if self.parser is not None and self.parser.reading:
            self._linger()
        else:
            self.transport.close()

    def _reject(self, problem: Problem) -> None:
        """Send the problem and read nothing more; a request with a broken body is over."""
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
        """Close in two steps (RFC 9112, section 9.6): after a reset, a sending client could not read the response."""
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self._linger_bytes = LINGER_BYTES
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # TLS cannot half-close
            self.transport.write_eof()
        self._wait(LINGER_S)

    def _wait_for_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.lingering:
            self.transport.abort()  # the client does not read the rest
        elif not self.transport.is_closing():
            self.transport.close()


class _Flow(FlowControl):
    """Uvicorn's flow control resumes reading at each response and each ``receive()``; this one only if not full."""

    def __init__(self, transport: asyncio.Transport, is_full: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_full = is_full

    def resume_reading(self) -> None:
        """Read on, unless enough requests are buffered."""
        if not self._is_full():
            super().resume_reading()


class _Outgoing:
    """The transport for uvicorn's request cycle: closing it lingers if the client is still sending."""

    def __init__(self, connection: Http1Connection) -> None:
        self._connection, self.write = connection, connection.transport.write

    def is_closing(self) -> bool:
        return self._connection.lingering or self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.finish()
