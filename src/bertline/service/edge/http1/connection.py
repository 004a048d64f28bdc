"""One connection of uvicorn's server: strict framing, limits on heads, one request at a time.

Uvicorn's own connection reads ahead while it answers, so it rejects a malformed request before it has answered the one
ahead; and it parses bytes after an ``Upgrade`` as a request. Here the next request is read after the response to the
one before, and nothing is read after a rejection.

A request that is shed from its head (``service/edge/shedding.py``) never becomes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from bertline.service.edge.http1.cycle import WHOLE_RESPONSE, Cycle
from bertline.service.edge.http1.grammar import HeadLimits
from bertline.service.edge.http1.parser import RequestParser
from bertline.service.edge.http1.raw_response import raw_response
from bertline.service.edge.tls import extensions
from bertline.service.problems import response_of
from bertline.serving.problems import Problem

Refuse = Callable[[bytes, bytes, Iterable[tuple[bytes, bytes]]], bytes | None]

LINGER_S = 2.0  # how long a rejected client may go on sending, so that it reads the response
LINGER_BYTES = 2**20  # that it may send in that time


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


class Http1Connection(asyncio.Protocol):
    """One connection; ``Http1Connection.with_settings`` creates the class for a server.

    Args:
        config: of uvicorn.
        server_state: uvicorn's, where a server finds its connections and tasks when it stops.
        app_state: of the lifespan.

    Attributes:
        fresh: the client has not begun its first request.
    """

    settings = Http1Settings()

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._app, self._app_state = config.loaded_app, app_state
        self._root_path = config.root_path
        self._common: Scope = {
            "root_path": config.root_path,
            "asgi": {"version": config.asgi_version, "spec_version": "2.3"},
        }
        self._idle_s = config.timeout_keep_alive
        self.loop = _loop or asyncio.get_running_loop()
        self.server_state, self.tasks = server_state, server_state.tasks
        self.parser = RequestParser(self, self.settings.limits)
        self.cycle: Cycle | None = None
        self._refusal: bytes | None = None
        self._linger_bytes: int | None = None  # that a rejected client may still send
        self._deadline_s: float | None = None  # on the loop's clock, for whatever the client has to do next
        self._timer: asyncio.TimerHandle | None = None
        self._idle = False  # the deadline is that for the next request
        self.fresh = True  # no request has begun

    @classmethod
    def with_settings(cls, settings: Http1Settings) -> type[Http1Connection]:
        """The protocol of a server: uvicorn creates instances without arguments of ours."""
        return type(cls.__name__, (cls,), {"settings": settings})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout."""
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn's own protocols
        self.transport = transport
        self.flow: FlowControl = _Flow(transport, lambda: self.backlogged)
        self._common.update(
            {
                "type": "http",
                "server": get_local_addr(transport),
                "client": get_remote_addr(transport),
                "scheme": "https" if is_ssl(transport) else "http",
                "extensions": {**extensions(transport), WHOLE_RESPONSE: {}},
            }
        )
        self._wait(self.settings.head_timeout_s)

    @property
    def lingering(self) -> bool:
        """Whether the connection only waits for the client to close it."""
        return self._linger_bytes is not None

    @property
    def closing(self) -> bool:
        """Whether nothing more is written."""
        return self.lingering or self.transport.is_closing()

    @property
    def backlogged(self) -> bool:
        """Whether enough pipelined requests are buffered, so that reading should pause."""
        return self.parser.held and self.parser.unread > self.settings.limits.head_bytes

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request."""
        self.server_state.connections.discard(self)
        self._deadline_s = None
        if self._timer is not None:
            self._timer.cancel()
        if self.cycle is not None:
            self.cycle.disconnect()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; after a rejection only count them."""
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
        self._limit_head()
        if self.backlogged:
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        """End the wait for a request, on a reused connection."""
        self.fresh = False
        self.url, self._expects_continue = b"", False
        self.headers: list[tuple[bytes, bytes]] = []
        if self._idle:
            self._idle, self._deadline_s = False, None

    def on_url(self, url: bytes) -> None:
        """Keep path and query."""
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers.append((name, value))
        if name == b"expect":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        """Stop the timeout, unless the request is shed: then it includes the body."""
        parser = self.parser
        method, keep_alive = parser.get_method(), parser.should_keep_alive()
        # A client that does not read its responses must wait, and only a cycle does that.
        if keep_alive and not self.flow.write_paused:
            self._refusal = self.settings.refuse(method, self.url, self.headers)
        if self._refusal is not None:
            self.cycle = None
            return
        self._deadline_s = None
        expects_continue = self._expects_continue and parser.get_http_version() != "1.0"  # RFC 9110, section 10.1.1
        # A client that gets its response before 100 Continue may never send the body (RFC 9110, section 10.1.1):
        # its next request would be parsed as that body.
        keep_alive = keep_alive and not expects_continue
        self.cycle = cycle = Cycle(
            self, self._scope(method.decode()), keep_alive=keep_alive, expects_continue=expects_continue
        )
        cycle.task = task = self.loop.create_task(cycle.run(self._app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _scope(self, method: str) -> Scope:
        raw_path, _, query = self.url.partition(b"?")
        path, root_path = raw_path.decode("ascii"), self._root_path
        return {
            **self._common,
            "http_version": self.parser.get_http_version(),
            "method": method,
            "path": root_path + (unquote(path) if "%" in path else path),
            "raw_path": root_path.encode() + raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self._app_state.copy(),
        }

    def on_body(self, body: bytes) -> None:
        """Give a part of the body to the request, unless it has been answered."""
        if self.cycle is not None and not self.cycle.complete and self.cycle.add(body):
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Send the response of a shed request, or wait for that of the app."""
        self._deadline_s = None
        cycle = self.cycle
        if self._refusal is not None:
            response, self._refusal = self._refusal, None
            if not self.transport.is_closing():
                self.transport.write(response)
                self.on_response_complete()
        elif cycle is not None and not cycle.complete:
            cycle.end()
            if self._expects_continue and not cycle.started:  # the body came after all
                cycle.keep_alive = self.parser.should_keep_alive()
            self.parser.hold()
        elif not self.transport.is_closing():
            self._wait_for_next()

    def on_response_complete(self) -> None:
        """Read the next request, or the rest of this one's body."""
        self.server_state.total_requests += 1
        if self.closing:
            return
        if self.parser.reading:
            self._wait(self.settings.head_timeout_s)
        else:
            self._wait_for_next()
        try:
            self.parser.resume()
        except Problem as problem:
            self._reject(problem)
            return
        self._limit_head()
        if self.backlogged:  # a request that was shed meanwhile has resumed reading
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def pause_writing(self) -> None:
        """The client does not read."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.flow.resume_writing()

    def shutdown(self) -> None:
        """Close after the response in progress, without waiting for rejected clients."""
        if self.lingering:
            self._give_up()
        elif self.cycle is None or self.cycle.complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def finish(self) -> None:
        """Close the connection after its last response."""
        if self.closing:
            return
        if self.parser.reading:
            self._linger()
        else:
            self.transport.close()

    def _reject(self, problem: Problem) -> None:
        """Send the problem and read nothing more; a request with a broken body is over."""
        self.settings.on_malformed(problem)
        cycle = self.cycle if self.parser.reading_body else None
        if cycle is not None:
            cycle.disconnect()
        if self.transport.is_closing():
            return
        if cycle is None or not cycle.started:
            self.transport.write(b"".join(raw_response(response_of(problem, {"Connection": "close"}))))
        self._linger()

    def _linger(self) -> None:
        """Close in two steps (RFC 9112, section 9.6): after a reset, a sending client could not read the response."""
        self._linger_bytes = LINGER_BYTES
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # TLS cannot half-close
            self.transport.write_eof()
        self._wait(LINGER_S)

    # ------------------------------------------------------------------------------------------------ the timeout

    def _limit_head(self) -> None:
        """Start the timeout of a head, or of a shed request, whose end has not come."""
        parser = self.parser
        if self._deadline_s is None and parser.reading and (self._refusal is not None or not parser.reading_body):
            self._wait(self.settings.head_timeout_s)

    def _wait_for_next(self) -> None:
        self._wait(self._idle_s)
        self._idle = True

    def _wait(self, seconds: float) -> None:
        """Give up in so many seconds, unless the deadline is moved before.

        A timer is not moved with it but set again when it has run out, so that most requests need none.
        """
        self._deadline_s = deadline_s = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > deadline_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.loop.call_at(deadline_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline_s is None:
            return
        if self.loop.time() >= self._deadline_s:
            self._give_up()
        else:
            self._timer = self.loop.call_at(self._deadline_s, self._look)

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
        if self.read_paused and not self._is_full():
            super().resume_reading()
