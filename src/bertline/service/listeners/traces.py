"""Traces of requests: a span per request, its phases as children, and a span per batch, linked to its requests.

A batch serves several requests, so it is a trace of its own; it and the phase ``compute`` of its requests link to each
other. Phases are created from measured times when the request has ended. All times are on ``perf_counter``'s clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import Scope

from bertline.monitoring.addresses import PROBES
from bertline.monitoring.metrics.operations import OPERATION
from bertline.monitoring.traces.context import SpanContext, read_parent, read_state
from bertline.monitoring.traces.exporter import Span
from bertline.service.exchange import Exchange, current
from bertline.service.route_table import template_of
from bertline.serving.listeners import Listener, Tokenised
from bertline.serving.scheduler import BatchRecord

if TYPE_CHECKING:
    from bertline.monitoring.traces.exporter import Traces

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))


class ComputedBatch(NamedTuple):
    """A computed batch."""

    context: SpanContext
    began_s: float
    ended_s: float


@dataclass(slots=True)
class Call:
    """A call of a model by a request; a few dialects make two."""

    began_s: float
    tokenised_s: float
    batches: list[ComputedBatch] = field(default_factory=list)


class RequestTrace:
    """A traced request, until its spans are created.

    Args:
        traces: receives the spans.
        context: of the request's span.
        parent: the caller's span, if it is trusted.
        link: the caller's span, if it is not.
        began_s: start of the request.
    """

    def __init__(
        self, traces: Traces, context: SpanContext, parent: SpanContext | None, link: SpanContext | None, began_s: float
    ) -> None:
        self.traces, self.context, self.parent, self.link = traces, context, parent, link
        self.began_ns, self.began_s = time_ns(), began_s
        self.calls: list[Call] = []

    def ns(self, at_s: float) -> int:
        """Nanoseconds since 1970, counted from the start, so that a clock change does not reorder the spans."""
        return self.began_ns + int((at_s - self.began_s) * 1e9)

    def end(self, exchange: Exchange, method: str, error: BaseException | None) -> None:
        """Create the spans; ``error`` is the one that ended the request, if any."""
        ended_s, status = perf_counter(), exchange.status
        attributes = _attributes(exchange.scope, method)
        route = attributes.get("http.route")
        failed = error is not None or status >= 500
        if status:
            attributes["http.response.status_code"] = status
        if failed:
            attributes["error.type"] = str(status) if error is None else type(error).__qualname__
        name = method if method in METHODS else "HTTP"
        self.traces.record(
            Span(
                f"{name} {route}" if route else name,
                self.context,
                self.began_ns,
                self.ns(ended_s),
                self.parent,
                server=True,
                attributes=attributes,
                links=() if self.link is None else (self.link,),
                failed=failed,
            )
        )
        ends = [*(call.began_s for call in self.calls[1:]), exchange.started_s or ended_s]
        for call, end_s in zip(self.calls, ends, strict=False):  # without calls there is one end too many
            self._phases(call, end_s, failed)

    def _phases(self, call: Call, end_s: float, failed: bool) -> None:
        self._phase("tokenise", call.began_s, call.tokenised_s)
        if not call.batches:  # refused, timed out, or failed
            self._phase("queue", call.tokenised_s, end_s, failed=failed)
            return
        began_s = max(call.tokenised_s, min(batch.began_s for batch in call.batches))
        done_s = max(batch.ended_s for batch in call.batches)
        self._phase("queue", call.tokenised_s, began_s)
        links = tuple(batch.context for batch in call.batches)
        self._phase("compute", began_s, done_s, links, failed=failed)
        if not failed:
            self._phase("post-process", done_s, end_s)

    def _phase(
        self, name: str, began_s: float, ended_s: float, links: tuple[SpanContext, ...] = (), failed: bool = False
    ) -> None:
        context, times = self.traces.child(self.context), (self.ns(began_s), self.ns(ended_s))
        self.traces.record(Span(name, context, *times, self.context, links=links, failed=failed))


def begin_trace(traces: Traces, exchange: Exchange) -> None:
    """Continue the caller's trace or begin one, if this request is sampled. Probes are not traced."""
    scope = exchange.scope
    if scope["path"] in PROBES:
        return
    headers = scope["headers"]
    parent = read_parent([value for name, value in headers if name == b"traceparent"])
    trusted = parent if traces.settings.trust_parent else None
    context = traces.decide(parent)
    if context is None:
        exchange.span = trusted
        return
    if trusted is not None:
        state = read_state([value for name, value in headers if name == b"tracestate"])
        context = context._replace(state=state)
    exchange.span = context
    exchange.trace = RequestTrace(traces, context, trusted, None if trusted else parent, exchange.began_s)


class TraceListener(Listener):
    """Records the phases of traced requests, and creates the spans of their batches."""

    def tokenised(self, event: Tokenised) -> None:
        """Record that a call of the current request begins to wait."""
        exchange = current()
        if exchange is not None and isinstance(exchange.trace, RequestTrace):
            exchange.trace.calls.append(Call(event.began_s, event.began_s + event.seconds))

    def computed(self, record: BatchRecord) -> None:
        """Create a span of the batch, if one of its requests is traced."""
        # A request without a call loads a model, which is warmed up.
        traced = [one.trace for one in record.origins if isinstance(one, Exchange)]
        requests = [one for one in traced if isinstance(one, RequestTrace) and one.calls]
        if not requests:
            return
        ended_s, first = perf_counter(), requests[0]
        batch = ComputedBatch(first.traces.root(), ended_s - record.compute_s, ended_s)
        for request in requests:
            request.calls[-1].batches.append(batch)
        (model, version), links = record.line.model, tuple(one.context for one in requests)
        attributes: Mapping[str, str | int] = {
            "bertline.model.name": model,
            "bertline.model.version": version,
            "bertline.operation": OPERATION[record.line.output],
            "bertline.batch.texts": record.texts,
            "bertline.batch.tokens": record.tokens,
            "bertline.batch.padded_tokens": record.padded_tokens,
        }
        times = first.ns(batch.began_s), first.ns(batch.ended_s)
        first.traces.record(Span("batch", batch.context, *times, attributes=attributes, links=links))


def _attributes(scope: Scope, method: str) -> dict[str, str | int]:
    """The attributes of a request's span.

    OpenTelemetry's url.path and user_agent.original are left out: clients can put anything there.
    """
    attributes: dict[str, str | int] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": scope["scheme"],
    }
    route = template_of(scope.get("route"))
    if route:
        attributes["http.route"] = route
    server = scope.get("server")
    if server and server[1] is not None:  # not a Unix socket
        attributes["server.address"], attributes["server.port"] = server[0], server[1]
    return attributes
