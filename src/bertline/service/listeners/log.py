"""One line of the log a request: what was asked of which model, how it ended, and where the time went.

Nothing that the client made up is in it but X-Request-Id and User-Agent, both bounded: no query string, no path that no
route has, no header besides, no text (see ``LogSettings.sample_texts``).
"""

from __future__ import annotations

import ipaddress
import random
from functools import lru_cache
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.monitoring.addresses import PROBES
from bertline.monitoring.logs.redaction import MOST_TEXTS, redacted
from bertline.monitoring.logs.settings import LogSettings
from bertline.service import record as records
from bertline.service.record import RequestRecord, request_id
from bertline.service.route_table import template_of
from bertline.serving.listeners import Listener

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertline.service.guard.client import Client
    from bertline.service.guard.client import Scope as GuardScope
    from bertline.serving.answered import Answered
    from bertline.serving.problems import Problem

METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
LONGEST_USER_AGENT = 256
ROUTES = "bertline.service.routes."


class RecordListener(Listener):
    """Writes in the record of the request in progress what the core says of it."""

    def asked(self, texts: Sequence[str]) -> None:
        """The texts are kept only where they are wanted."""
        record = records.current()
        if record is not None and record.wants_texts:
            record.texts = texts[:MOST_TEXTS]

    def answered(self, output: str, answered: Answered) -> None:
        """A model answered."""
        record = records.current()
        if record is not None:
            record.answered, record.answered_s = answered, perf_counter()

    def refused(self, problem: Problem) -> None:
        """The answer names a problem."""
        record = records.current()
        if record is not None:
            record.error_code = problem.code.value


class AccessLines(Protocol):
    """What the lines are handed to: ``bertline.monitoring.logs.logger.Logs``."""

    def access(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        """Log one."""


class AccessLog:
    """ASGI middleware, the outermost: numbers requests, and logs each when its answer has ended.

    Args:
        app: what answers.
        logs: where the lines go; None only numbers the requests.
        settings: of the log.
    """

    def __init__(self, app: ASGIApp, logs: AccessLines | None, settings: LogSettings) -> None:
        self._app, self._logs, self._settings = app, logs, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wants_texts = self._settings.sample_texts > 0 and random.random() < self._settings.sample_texts
        seen = _Exchange(scope, receive, send, wants_texts)
        token = records.enter(seen.record)
        try:
            await self._app(scope, seen.receive, seen.send)
        except Exception:
            seen.failed = True
            raise
        finally:
            records.leave(token)
            self._log(scope, seen)

    def _log(self, scope: Scope, seen: _Exchange) -> None:
        if self._logs is None:
            return
        duration_ns = perf_counter_ns() - seen.began_ns
        slow = self._settings.slow_ms is not None and duration_ns > self._settings.slow_ms * 1e6
        fields = fields_of(scope, seen, duration_ns)
        if slow:
            fields["bertline.slow"] = True
        if seen.record.texts:
            fields["bertline.sampled.texts"] = [redacted(one, self._settings.redact) for one in seen.record.texts]
        level = _level(fields.get("url.path"), seen, slow)
        ended = seen.status or fields.get("bertline.ended")
        message = f"{fields['http.request.method']} {fields.get('url.path', '(unknown path)')} {ended}"
        self._logs.access(level, message, fields)


class _Exchange:
    """What passes between client and app, measured on its way."""

    __slots__ = (
        "_receive",
        "_send",
        "began_ns",
        "failed",
        "finished",
        "record",
        "sent",
        "status",
        "taken",
        "user_agent",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, wants_texts: bool) -> None:
        self.began_ns = perf_counter_ns()
        self._receive, self._send = receive, send
        self.status, self.taken, self.sent = 0, 0, 0
        self.finished = self.failed = False
        self.user_agent, given = b"", b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"user-agent":
                self.user_agent = value
        self.record = RequestRecord(request_id(given).decode(), wants_texts)

    async def receive(self) -> Message:
        message = await self._receive()
        self.taken += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ())]
            if all(name.lower() != b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", self.record.id.encode()))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
            self.finished = not message.get("more_body", False)
        await self._send(message)


def _level(path: object, seen: _Exchange, slow: bool) -> str:
    if path in PROBES:
        return "debug"
    if seen.failed or seen.status >= 500:
        return "error"
    return "warning" if slow else "info"


def fields_of(scope: Scope, seen: _Exchange, duration_ns: int) -> dict[str, Any]:
    """The fields of a request's line, by their names in the table, those that are known."""
    record, status, method = seen.record, seen.status, scope["method"]
    outcome = "success" if status < 400 else "failure"
    fields: dict[str, Any] = {
        "event.kind": "event",
        "event.category": _WEB,
        "event.type": _ACCESS,
        "event.duration": duration_ns,
        "event.outcome": outcome if status and seen.finished and not seen.failed else "unknown",
        "http.request.method": method if method in METHODS else "other",
        "http.request.id": record.id,
        "http.request.body.bytes": seen.taken,
    }
    if status:
        fields["http.response.status_code"], fields["http.response.body.bytes"] = status, seen.sent
    if not seen.finished:
        fields["bertline.ended"] = "failed" if seen.failed else "cut_off" if status else "client_gone"
    if seen.user_agent:
        fields["user_agent.original"] = seen.user_agent[:LONGEST_USER_AGENT].decode("latin-1")
    peer = scope.get("client")
    if peer and (address := _address(peer[0])):
        fields["client.ip"] = address
    if record.trace_id:
        fields["trace.id"], fields["span.id"], fields["transaction.id"] = (
            record.trace_id,
            record.span_id,
            record.span_id,
        )
    if record.error_code:
        fields["bertline.error.code"] = record.error_code
    _add_route(fields, scope)
    _add_client(fields, scope)
    _add_answer(fields, record)
    return fields


def _add_route(fields: dict[str, Any], scope: Scope) -> None:
    # The template and not the path, in which anybody may write anything: ``/v1/models/{name}``.
    path, endpoint = template_of(scope.get("route")), scope.get("endpoint")
    if path is None and isinstance(endpoint, StaticFiles):
        path = "/page"
    if path is not None:
        fields["url.path"] = path
    module = getattr(endpoint, "__module__", "")
    if module.startswith(ROUTES):
        fields["bertline.dialect"] = module[len(ROUTES) :].partition(".")[0]
        fields["event.action"] = getattr(endpoint, "__name__", "")


def _add_client(fields: dict[str, Any], scope: Scope) -> None:
    client: Client | None = scope.get("state", {}).get("client")
    if client is not None:
        fields["user.id"], fields["bertline.client.kind"] = client.id, client.kind
        fields["bertline.client.scopes"] = _names(client.scopes)


def _add_answer(fields: dict[str, Any], record: RequestRecord) -> None:
    answered = record.answered
    if answered is None:
        return
    timing, readings = answered.timing, answered.readings
    fields["bertline.model.name"] = answered.version.name
    fields["bertline.model.version"] = answered.version.version
    fields["bertline.texts"] = len(readings)
    fields["bertline.tokens.read"] = sum(one.read for one in readings)
    fields["bertline.tokens.cut"] = sum(one.cut for one in readings)
    fields["bertline.time.tokenise_ms"] = round(1000 * timing.tokenise_s, 3)
    fields["bertline.time.queue_ms"] = round(1000 * timing.queue_s, 3)
    fields["bertline.time.compute_ms"] = round(1000 * timing.compute_s, 3)


@lru_cache(1024)
def _address(host: str) -> str | None:
    """The address without its zone; None for what is none, which Elasticsearch would refuse with the whole line."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(64)
def _names(scopes: frozenset[GuardScope]) -> list[str]:
    return sorted(one.value for one in scopes)


_WEB, _ACCESS = ["web"], ["access"]
