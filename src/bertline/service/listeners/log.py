"""One log line per request: its model, outcome and times.

Of the client's own input it has only X-Request-Id and User-Agent, both bounded: no query string, no unknown path, no
other header, no text (see ``LogSettings.sample_texts``).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bertline.monitoring.addresses import PROBES
from bertline.monitoring.logs.redaction import MOST_TEXTS, redacted
from bertline.monitoring.logs.settings import LogSettings
from bertline.service.exchange import METHODS, Exchange, current
from bertline.service.route_table import template_of
from bertline.serving.listeners import Listener

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertline.service.guard.client import Client
    from bertline.service.guard.client import Scope as GuardScope
    from bertline.serving.answered import Answered
    from bertline.serving.problems import Problem

LONGEST_USER_AGENT = 256
ROUTES = "bertline.service.routes."


class ExchangeListener(Listener):
    """Copies the core's events into the current exchange."""

    def asked(self, texts: Sequence[str]) -> None:
        """Keep the first texts if the log samples this request."""
        exchange = current()
        if exchange is not None and exchange.wants_texts:
            exchange.texts = texts[:MOST_TEXTS]

    def answered(self, output: str, answered: Answered) -> None:
        """Keep the answer."""
        exchange = current()
        if exchange is not None:
            exchange.answered, exchange.answered_s = answered, perf_counter()

    def refused(self, problem: Problem) -> None:
        """Keep the error code."""
        exchange = current()
        if exchange is not None:
            exchange.error_code = problem.code.value


class AccessLines(Protocol):
    """The receiver of the lines: ``bertline.monitoring.logs.logger.Logs``."""

    def access(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        """Log a line."""


def log_exchange(logs: AccessLines, settings: LogSettings, exchange: Exchange, method: str) -> None:
    """Log a finished exchange; ``method`` is the request's, as sent."""
    duration_ns = int(1e9 * (perf_counter() - exchange.began_s))
    is_slow = settings.slow_ms is not None and duration_ns > settings.slow_ms * 1e6
    fields = fields_of(exchange, method, duration_ns)
    if is_slow:
        fields["bertline.slow"] = True
    if exchange.texts:
        fields["bertline.sampled.texts"] = [redacted(one, settings.redact) for one in exchange.texts]
    path = fields.get("url.path")
    ended = exchange.status or fields.get("bertline.ended")
    message = f"{fields['http.request.method']} {path or '(unknown path)'} {ended}"
    logs.access(_level(path, exchange, is_slow), message, fields)


def _level(path: object, exchange: Exchange, is_slow: bool) -> str:
    if path in PROBES:
        return "debug"
    if exchange.failed or exchange.status >= 500:
        return "error"
    return "warning" if is_slow else "info"


def fields_of(exchange: Exchange, method: str, duration_ns: int) -> dict[str, Any]:
    """The fields of a request's line, by their names in the table."""
    status, is_complete = exchange.status, exchange.finished and not exchange.failed
    fields: dict[str, Any] = {
        "event.kind": "event",
        "event.category": _WEB,
        "event.type": _ACCESS,
        "event.duration": duration_ns,
        "event.outcome": ("success" if status < 400 else "failure") if status and is_complete else "unknown",
        "http.request.method": method if method in METHODS else "other",
        "http.request.id": exchange.id,
        "http.request.body.bytes": exchange.received_bytes,
    }
    if status:
        fields["http.response.status_code"], fields["http.response.body.bytes"] = status, exchange.sent_bytes
    if not exchange.finished:
        fields["bertline.ended"] = "failed" if exchange.failed else "cut_off" if status else "client_gone"
    if exchange.user_agent:
        fields["user_agent.original"] = exchange.user_agent[:LONGEST_USER_AGENT].decode("latin-1")
    peer = exchange.scope.get("client")
    if peer and (address := _address(peer[0])):
        fields["client.ip"] = address
    if exchange.span is not None:
        fields["trace.id"], fields["span.id"] = exchange.span.ids
        fields["transaction.id"] = fields["span.id"]
    if exchange.error_code:
        fields["bertline.error.code"] = exchange.error_code
    _add_route(fields, exchange.scope)
    _add_client(fields, exchange.scope)
    _add_answer(fields, exchange)
    return fields


def _add_route(fields: dict[str, Any], scope: Scope) -> None:
    # The template, ``/v1/models/{name}``: a path may contain anything.
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


def _add_answer(fields: dict[str, Any], exchange: Exchange) -> None:
    answered = exchange.answered
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
    """The address without its zone; None if it is invalid, because Elasticsearch would reject the whole line."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(64)
def _names(scopes: frozenset[GuardScope]) -> list[str]:
    return sorted(one.value for one in scopes)


_WEB, _ACCESS = ["web"], ["access"]
