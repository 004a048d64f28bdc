"""The listeners of the serving core: log line, metrics and traces in this order; predictions where they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertline.service.listeners.log import ExchangeListener
from bertline.service.listeners.metrics import MetricsListener
from bertline.service.listeners.predictions import PredictionListener, measure_predictions
from bertline.service.listeners.traces import TraceListener

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.writer import PredictionWriter
    from bertline.serving.serving import Serving


def register(serving: Serving, predictions: PredictionWriter | None = None) -> MetricsListener:
    """Register the listeners; returns the one with the metrics."""
    metrics = MetricsListener()
    metrics.watch(serving)
    serving.listeners.add(ExchangeListener(), metrics, TraceListener())
    if predictions is not None:
        serving.listeners.add(PredictionListener(predictions, serving.scheduler))
        measure_predictions(metrics.metrics, predictions)
    return metrics
