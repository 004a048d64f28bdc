"""Which trace the request in progress belongs to."""

from __future__ import annotations

from contextvars import ContextVar

from bertline.monitoring.traces.context import SpanContext

CONTEXT: ContextVar[SpanContext | None] = ContextVar("span_context", default=None)


def current_ids() -> tuple[str, str] | None:
    """Trace and span of this request in hexadecimal, for its log lines.

    Of a request that is not traced here they are those that a trusted caller sent; None if it sent none.
    """
    context = CONTEXT.get()
    return None if context is None else context.ids


def outgoing_headers() -> dict[str, str]:
    """What a request to another server needs so that it belongs to the same trace."""
    context = CONTEXT.get()
    return {} if context is None else context.headers
