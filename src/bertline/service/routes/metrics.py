"""The metrics in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from bertline.monitoring.metrics.registry import CONTENT_TYPE
from bertline.service.listeners.metrics import MetricsListener

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "In Prometheus' text format."}},
)
async def metrics(request: Request) -> Response:
    """Requests, phases, batches, queues, labels; also under the names of Text Embeddings Inference."""
    listener: MetricsListener = request.app.state.metrics
    return Response(listener.metrics.text(), headers={"Content-Type": CONTENT_TYPE})
