"""Liveness and readiness."""

from __future__ import annotations

from fastapi import APIRouter

from bertline.service.problems import OWN
from bertline.service.routes.context import ServingNow
from bertline.service.routes.own.schema import Health
from bertline.serving.problems import Code, Problem

router = APIRouter(tags=["health"])


async def live() -> Health:
    """The process answers. Restart it if it does not."""
    return Health(status="live")


async def ready(serving: ServingNow) -> Health:
    """Every model has answered a text and its worker is running. Send requests only then."""
    if serving.draining:
        raise Problem(Code.NOT_READY, "The server is stopping: send requests elsewhere.")
    if not serving.ready:
        raise Problem(Code.NOT_READY, "A model is not ready, or its worker is being replaced: try again in a second.")
    return Health(status="ready")


for path in ("/health/live", "/livez"):
    router.get(path, summary="Liveness")(live)
for path in ("/health/ready", "/readyz"):
    router.get(path, summary="Readiness", responses=OWN.answers(Code.NOT_READY))(ready)
