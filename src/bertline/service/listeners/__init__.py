"""The listeners of the serving core: log line, metrics and traces, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertline.service.listeners.log import ExchangeListener
from bertline.service.listeners.metrics import MetricsListener
from bertline.service.listeners.traces import TraceListener

if TYPE_CHECKING:
    from bertline.serving.serving import Serving


def register(serving: Serving) -> MetricsListener:
    """Register the listeners; returns the one with the metrics."""
    metrics = MetricsListener()
    metrics.watch(serving)
    serving.listeners.add(ExchangeListener(), metrics, TraceListener())
    return metrics
