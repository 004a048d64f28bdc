"""Sends spans to a collector: OpenTelemetry over OTLP/HTTP, imported only here and only if tracing is on.

A span is passed as a value when it has ended. OpenTelemetry's tracer takes 50 µs of the thread that all requests share,
this 7 µs (measured, SDK 1.45), and its sampler needs a span where a random number decides. Its resource, queue,
encoding and exporter are used unchanged.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from bertline import __version__
from bertline.errors import SettingsError, needing
from bertline.monitoring.traces.context import RANDOM, SAMPLED, SpanContext

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

PATH = "/v1/traces"
MOST_WAITING = 2048  # unsent spans; more are dropped
MOST_LINKS = 128  # of a span, OpenTelemetry's own default
MOST_ANSWER_BYTES = 64 * 1024  # that are read of a collector's response
FLUSH_S = 1.5  # for unsent spans, when the server stops
LOW_64 = (1 << 64) - 1
PACKAGES = ("opentelemetry", "google", "requests")


class TraceSettings(BaseModel):
    """The collector and the sampled share.

    The collector's credentials are read only from ``OTEL_EXPORTER_OTLP_HEADERS``, so they are in no file or command
    line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = Field(
        None,
        description="URL of a collector, such as http://127.0.0.1:4318; default: OTEL_EXPORTER_OTLP_ENDPOINT, else off",
    )
    sample: float = Field(0.01, ge=0, le=1, description="share of requests that are traced, unless the caller decides")
    trust_parent: bool = Field(
        True, description="let callers decide with traceparent whether and in which trace a request is recorded"
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended."""

    name: str  # of low cardinality
    context: SpanContext
    start_ns: int  # since 1970
    end_ns: int
    parent: SpanContext | None = None
    server: bool = False  # of a request; parent and links belong to another program
    attributes: Mapping[str, str | int] = field(default_factory=dict)  # never a text or a credential
    links: Sequence[SpanContext] = ()
    failed: bool = False


def open_traces(settings: TraceSettings, environ: Mapping[str, str] | None = None) -> Traces | None:
    """Start sending spans; None without a collector, or if ``OTEL_SDK_DISABLED`` is true.

    Raises:
        SettingsError: the collector's URL is invalid.
        UsageError: OpenTelemetry is not installed.
    """
    endpoint = _endpoint(settings, os.environ if environ is None else environ)
    if endpoint is None:
        return None
    with needing("Traces need OpenTelemetry with {}", *PACKAGES, extra="traces"):
        return Traces(settings, endpoint)


def _endpoint(settings: TraceSettings, environ: Mapping[str, str]) -> str | None:
    """As the exporter's specification says: the general endpoint is a base URL, the one for traces is complete."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    base = settings.endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    whole = None if settings.endpoint else environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    endpoint = whole or (f"{base.rstrip('/')}{PATH}" if base else None)
    if endpoint is not None and not _is_address(endpoint):
        raise SettingsError(
            "The endpoint of traces must be an http or https address without a user name: "
            "set it as http://127.0.0.1:4318, and credentials in OTEL_EXPORTER_OTLP_HEADERS."
        )
    return endpoint


def _is_address(endpoint: str) -> bool:
    try:
        url = urlsplit(endpoint)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and "@" not in url.netloc
    except ValueError:
        return False


class Traces:
    """Samples requests, and sends spans from its own thread. Created by ``open_traces``.

    No request waits for the collector: while it is down, up to ``MOST_WAITING`` spans are queued and the others
    dropped, with one log line.

    Raises:
        ModuleNotFoundError: OpenTelemetry is not installed.
    """

    def __init__(self, settings: TraceSettings, endpoint: str) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        # Its own log lines repeat every few seconds and quote callers; this class logs failures once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self.settings = settings
        self._bound = round(settings.sample * (LOW_64 + 1))
        self._draw = Random().getrandbits  # its own generator: a seed would make the ids equal on every server
        self._place = urlsplit(endpoint).netloc
        self._exporter = _Exporter(OTLPSpanExporter(endpoint, session=_session()), self._place)
        exporter: Any = self._exporter  # has the methods of SpanExporter, which cannot be imported above
        self._processor = BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING)
        self._api, self._span = trace, ReadableSpan
        self._resource, self._scope = _resource(), InstrumentationScope("bertline", __version__)
        self._recorded = self._dropped = 0

    @property
    def lost(self) -> int:
        """Spans that were dropped or not accepted."""
        return self._dropped + self._exporter.failed

    def sampled(self, trace_id: int) -> bool:
        """Whether to record a new trace, as OpenTelemetry's TraceIdRatioBased decides, so that servers agree."""
        return trace_id & LOW_64 < self._bound

    def decide(self, parent: SpanContext | None) -> SpanContext | None:
        """The context of a request's span, in the trusted caller's trace or a new one; None if it is not traced."""
        if parent is not None and self.settings.trust_parent:
            return self.child(parent) if parent.sampled else None
        trace_id = self._draw(128)
        return self._new(trace_id) if self.sampled(trace_id) else None

    def root(self) -> SpanContext:
        """The root span of a new, recorded trace."""
        return self._new(self._draw(128))

    def child(self, parent: SpanContext) -> SpanContext:
        """Another span of the same trace."""
        return parent._replace(span_id=self._draw(64) or 1)

    def _new(self, trace_id: int) -> SpanContext:
        return SpanContext(trace_id or 1, self._draw(64) or 1, SAMPLED | RANDOM)

    def record(self, span: Span) -> None:
        """Queue a span. Call it from one thread only."""
        if self._recorded - self._exporter.taken >= MOST_WAITING:
            if not self._dropped:
                log.warning(
                    "Spans are created faster than %s accepts them and some are dropped: trace less.", self._place
                )
            self._dropped += 1
            return
        self._recorded += 1
        self._processor.on_end(self._readable(span))

    def _readable(self, span: Span) -> ReadableSpan:
        api, remote = self._api, span.server
        code = api.StatusCode.ERROR if span.failed else api.StatusCode.UNSET
        return self._span(
            span.name,
            self._context(span.context, False),
            None if span.parent is None else self._context(span.parent, remote),
            self._resource,
            span.attributes,
            links=[api.Link(self._context(one, remote)) for one in span.links[:MOST_LINKS]],
            kind=api.SpanKind.SERVER if span.server else api.SpanKind.INTERNAL,
            status=api.Status(code),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _context(self, context: SpanContext, remote: bool) -> Any:
        state = self._api.TraceState(context.state) if context.state else None
        flags = self._api.TraceFlags(context.flags)
        return self._api.SpanContext(context.trace_id, context.span_id, remote, flags, state)

    def close(self) -> None:
        """Send queued spans for at most ``FLUSH_S``; the rest is lost."""
        flushing = threading.Thread(target=self._processor.shutdown, name="flush-spans", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)
        self._exporter.shutdown()  # interrupts a pending retry
        unsent = self._dropped + self._recorded - self._exporter.sent
        if unsent:
            log.warning("%d spans were not accepted by %s.", unsent, self._place)


def _session() -> requests.Session | None:
    """A session that reads little of a response and decodes nothing: the exporter needs only status and headers.

    None if OpenTelemetry's variables name a credential provider, which has its own session.
    """
    import requests

    def skim(answer: requests.Response, **_: object) -> None:
        answer.raw.read(MOST_ANSWER_BYTES, decode_content=False)  # usually all of it: the connection is reused
        answer.close()

    if any(name.startswith("OTEL_PYTHON_EXPORTER_OTLP_") and "CREDENTIAL_PROVIDER" in name for name in os.environ):
        return None
    session = requests.Session()
    session.stream = True
    session.hooks["response"].append(skim)
    return session


class _Exporter:
    """Wraps OpenTelemetry's exporter and counts spans: taken from the queue, sent, and failed."""

    def __init__(self, exporter: SpanExporter, place: str) -> None:
        self._exporter, self._place = exporter, place
        self.taken = self.sent = self.failed = 0
        self._failing = self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans, and log when that starts or stops failing."""
        self.taken += len(spans)
        result = self._exporter.export(spans)
        failing = result.name != "SUCCESS"
        self.failed += len(spans) if failing else 0
        self.sent += 0 if failing else len(spans)
        if self._closed:
            return result  # the number of lost spans has been logged
        if failing and not self._failing:
            log.warning("%s does not accept spans: they are lost until it does; requests go on.", self._place)
        if self._failing and not failing:
            log.warning("%s accepts spans again; %d were lost.", self._place, self.failed)
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """Stop sending."""
        self._closed = True
        self._exporter.shutdown()


def _resource() -> Resource:
    """The sender of the spans; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` take precedence."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = {"service.name": "bertline", "service.version": __version__, "service.instance.id": str(uuid4())}
    return Resource.create(own).merge(OTELResourceDetector().detect())
