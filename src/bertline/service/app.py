"""The app: routes, page, limits and the shape of errors, around models that are already loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from bertline import __version__
from bertline.service import refusals
from bertline.service.abandoned import Abandoned
from bertline.service.body_limit import BodyLimit
from bertline.service.closing import Closing
from bertline.service.measuring import MeasuredHttp
from bertline.service.routes import (
    admin,
    health,
    hf,
    kserve,
    metrics,
    oip,
    openai,
    own,
    root,
    sagemaker,
    tei,
    tei_model,
)
from bertline.service.routes.context import refusals_of
from bertline.service.security_headers import SecurityHeaders
from bertline.service.serving import Serving
from bertline.service.unexpected import UnexpectedErrors

ROUTERS = [
    module.router for module in (own, health, metrics, admin, openai, oip, kserve, sagemaker, tei, tei_model, hf, root)
]
PAGE = Path(__file__).parent / "page"
DESCRIPTION = "Text in, labels with calibrated probabilities out. What is sent is neither stored nor logged."


def create_app(serving: Serving) -> FastAPI:
    """The service for these models; it starts and stops with the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving:
            yield

    app = FastAPI(
        title="bertline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its scripts from another server
        redoc_url=None,
    )
    app.state.serving, app.state.measuring = serving, serving.measuring
    refusals.register(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_pages(app)
    settings = serving.settings
    # The last one added sees a request first.
    app.add_middleware(Abandoned)
    app.add_middleware(
        BodyLimit,
        max_body_bytes=settings.max_body_bytes,
        timeout_s=settings.body_timeout_s,
        refuse=refusals_of(ROUTERS),
    )
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(Closing, draining=lambda: serving.draining)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(MeasuredHttp, metrics=serving.measuring.metrics)
    return app


def _add_pages(app: FastAPI) -> None:
    swagger = resources.files("fastapi_offline") / "static"
    app.mount("/page/swagger", Revalidated(directory=str(swagger)), name="swagger")
    app.mount("/page", Revalidated(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html", headers={"Cache-Control": "no-cache"})


class Revalidated(StaticFiles):
    """Files that a browser asks for again, so that an upgrade of the service reaches an open page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with the instruction to revalidate it."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
