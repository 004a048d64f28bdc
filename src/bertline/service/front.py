"""The outermost part of the app: each exchange is numbered, measured, traced and logged, and its response completed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.monitoring.logs.settings import LogSettings
from bertline.service.edge.proxies import Hosts
from bertline.service.edge.security_headers import SecurityHeaders
from bertline.service.exchange import Exchange
from bertline.service.listeners.log import AccessLines, log_exchange
from bertline.service.listeners.metrics import HttpMetrics
from bertline.service.listeners.traces import RequestTrace, begin_trace
from bertline.service.problems import response_of
from bertline.serving.problems import Problem
from bertline.serving.scheduler import ORIGIN

if TYPE_CHECKING:
    from bertline.monitoring.traces.exporter import Traces

Refuse = Callable[[Scope, Problem], Response]
RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Who is told of exchanges, and what each response has.

    Attributes:
        logs: where lines go; None: requests are only numbered.
        settings: of the log.
        metrics: count and time responses.
        traces: receive spans.
        hosts: names of this server.
        security: headers of every response.
        draining: whether clients shall take their next request elsewhere.
        refuse: shapes a response as the path's dialect has it.
    """

    logs: AccessLines | None = None
    settings: LogSettings = field(default_factory=LogSettings)
    metrics: HttpMetrics | None = None
    traces: Traces | None = None
    hosts: Hosts = field(default_factory=Hosts)
    security: SecurityHeaders = field(default_factory=SecurityHeaders)
    draining: Callable[[], bool] = lambda: False
    refuse: Refuse = lambda _, problem: response_of(problem)


class Front:
    """ASGI app around another.

    Whatever answers GET answers HEAD with the same status and headers and no body (RFC 9110, section 9.3.2): all that
    is inside takes a HEAD request for a GET, so that neither guard nor limits have a second rule.
    """

    def __init__(self, app: ASGIApp, watching: Watching) -> None:
        self._app, self._watching = app, watching
        self._sample = watching.settings.sample_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the request answered; measure and log it when that has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watching, raised = self._watching, None
        exchange = Exchange.of(scope)
        if self._sample > 0 and random.random() < self._sample:
            exchange.wants_texts = True
        if watching.metrics is not None:
            watching.metrics.began()
        if watching.traces is not None:
            begin_trace(watching.traces, exchange)
        before = ORIGIN.set(exchange)
        try:
            await self._answer(exchange, receive, send)
        except BaseException as error:
            exchange.failed, raised = isinstance(error, Exception), error
            raise
        finally:
            ORIGIN.reset(before)
            method = scope["method"]
            if isinstance(exchange.trace, RequestTrace):
                exchange.trace.end(exchange, method, None if isinstance(raised, asyncio.CancelledError) else raised)
            if watching.metrics is not None:
                watching.metrics.ended(exchange, method)
            if watching.logs is not None:
                log_exchange(watching.logs, watching.settings, exchange, method)

    async def _answer(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        scope = exchange.scope
        head = scope["method"] == "HEAD"
        if head:
            scope = exchange.scope = {**scope, "method": "GET"}

        async def receiving() -> Message:
            message = await receive()
            exchange.received_bytes += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status, exchange.started_s = message["status"], perf_counter()
                message = {**message, "headers": self._headers(exchange, message.get("headers", ()))}
                if self._watching.metrics is not None:
                    self._watching.metrics.started(exchange)
                if "body" in message:  # WHOLE_RESPONSE
                    exchange.sent_bytes, exchange.finished = len(message["body"]), True
            elif message["type"] == "http.response.body":
                more = message.get("more_body", False)
                if head and more:
                    return
                if head:
                    message = {"type": "http.response.body", "body": b"", "more_body": False}
                exchange.sent_bytes += len(message.get("body", b""))
                exchange.finished = not more
            await send(message)

        try:
            self._watching.hosts.check(scope)
        except Problem as problem:
            await self._watching.refuse(scope, problem)(scope, receiving, sending)
            return
        await self._app(scope, receiving, sending)

    def _headers(self, exchange: Exchange, headers: RawHeaders) -> list[tuple[bytes, bytes]]:
        found = self._watching.security.complete(exchange.scope, headers)
        if self._watching.draining():  # RFC 9112, section 9.6
            found = [*(one for one in found if one[0] != b"connection"), (b"connection", b"close")]
        for name, _ in found:
            if name.lower() == b"x-request-id":
                return found
        found.append((b"x-request-id", exchange.id.encode()))
        return found
