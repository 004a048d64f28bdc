"""The app: routes, page, limits and the shape of errors, around models that are already loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from bertline import __version__
from bertline.service import listeners, refusals
from bertline.service.edge import cors
from bertline.service.edge.body_limit import BodyLimit
from bertline.service.edge.disconnect import Abandoned
from bertline.service.edge.draining import Closing
from bertline.service.edge.head_as_get import HeadAsGet
from bertline.service.edge.internal_errors import UnexpectedErrors
from bertline.service.edge.prefix import Prefixed, RootPath
from bertline.service.edge.proxies import Hosts, Proxies
from bertline.service.edge.security_headers import SecurityHeaders
from bertline.service.guard.middleware import Guard
from bertline.service.guard.scopes import check_all_named
from bertline.service.hot_routes import HotRoutes
from bertline.service.limits.ledger import charge_tokens
from bertline.service.limits.middleware import LimitPerClient
from bertline.service.listeners.log import AccessLog
from bertline.service.listeners.metrics import MeasuredHttp
from bertline.service.listeners.traces import Tracing
from bertline.service.openapi import describing_guard
from bertline.service.perimeter import Perimeter
from bertline.service.routes import admin, health, kserve, metrics, oauth, openai, root, sagemaker
from bertline.service.routes.context import refusals_of, where_to_ask
from bertline.service.routes.hf import router as hf
from bertline.service.routes.oip import router as oip
from bertline.service.routes.own import router as own
from bertline.service.routes.tei import model as tei_model
from bertline.service.routes.tei import router as tei
from bertline.service.settings import settings_of
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

ROUTERS = [
    module.router
    for module in (own, health, metrics, admin, openai, oip, kserve, sagemaker, tei, tei_model, hf, root, oauth)
]
REFUSE = refusals_of(ROUTERS)
PAGE = Path(__file__).parent / "page"
DESCRIPTION = "Text in, labels with calibrated probabilities out. What is sent is not stored."


def create_app(serving: Serving, perimeter: Perimeter | None = None) -> FastAPI:
    """The service for these models; it starts and stops with the app.

    Args:
        serving: the models.
        perimeter: what stands before them; nothing by default.
    """
    perimeter = perimeter or Perimeter()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with perimeter.running(), serving:
            yield

    app = FastAPI(
        title="bertline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its scripts from another server
        redoc_url=None,
        # FastAPI's own would put paths and queries in spans (FASTAPI_OTEL_AUTO_CONFIGURE); ours are in tracing.py.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    serving.admit, serving.other_task = charge_tokens, where_to_ask
    app.state.serving, app.state.metrics = serving, listeners.register(serving)
    app.state.issuer = perimeter.issuer
    refusals.register(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_pages(app)
    check_all_named(app.routes)
    app.openapi = describing_guard(app)  # type: ignore[method-assign]
    # The last one added sees a request first.
    _add_inner(app, serving)
    _add_outer(app, serving, perimeter)
    return app


def _add_inner(app: FastAPI, serving: Serving) -> None:
    """What a request passes that may come in."""
    settings = settings_of(serving)
    app.add_middleware(HotRoutes, serving=serving, routes=app.routes)
    app.add_middleware(RootPath)
    app.add_middleware(Abandoned)
    app.add_middleware(
        BodyLimit,
        max_body_bytes=settings.max_body_bytes,
        timeout_s=settings.body_timeout_s,
        refuse=REFUSE,
        on_refused=serving.listeners.refused,
    )


def _add_outer(app: FastAPI, serving: Serving, perimeter: Perimeter) -> None:
    """What decides that, and what notes it. Each part that is not there costs nothing."""
    settings, metrics = perimeter.settings, app.state.metrics
    if perimeter.limits is not None:
        app.add_middleware(LimitPerClient, limits=perimeter.limits, refuse=REFUSE, on_refused=serving.listeners.refused)

    def rejected(problem: Problem) -> None:
        serving.listeners.refused(problem)
        metrics.auth_failed(problem)

    app.add_middleware(Guard, tokens=perimeter.tokens, keys=perimeter.keys, refuse=REFUSE, failed=rejected)
    app.add_middleware(UnexpectedErrors)
    if settings.edge.cors_origins:
        app.add_middleware(
            CORSMiddleware, **cors.options(settings.edge.cors_origins, credentials=settings.edge.cors_credentials)
        )
    if perimeter.hosts:
        app.add_middleware(Hosts, allowed=perimeter.hosts, refuse=REFUSE)
    app.add_middleware(Closing, draining=lambda: serving.draining)
    app.add_middleware(SecurityHeaders, hsts_max_age_s=settings.tls.hsts_max_age_s)
    app.add_middleware(HeadAsGet)
    app.add_middleware(MeasuredHttp, metrics=metrics.metrics)
    if perimeter.traces is not None:
        app.add_middleware(Tracing, traces=perimeter.traces)
    app.add_middleware(AccessLog, logs=perimeter.logs, settings=settings.logs)
    edge = settings.edge
    if edge.root_path:
        app.add_middleware(Prefixed, prefix=edge.root_path, strip=edge.strip_root_path)
    if edge.trusted_proxies:
        app.add_middleware(Proxies, trusted=edge.trusted_proxies, header=edge.forwarded_header)


def _add_pages(app: FastAPI) -> None:
    swagger = resources.files("fastapi_offline") / "static"
    app.mount("/page/swagger", Revalidated(directory=str(swagger)), name="swagger")
    app.mount("/page", Revalidated(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return _page("index.html", request.scope)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return _page("docs.html", request.scope)


def _page(name: str, scope: Scope) -> Response:
    """A page. Its links are relative, which is wrong only at a prefix without the slash after it (``/bert``).

    Proxies that strip that prefix ask for ``/`` all the same; where the prefix is known, the links have it.
    """
    text = (PAGE / name).read_text(encoding="utf-8")
    if prefix := scope.get("root_path"):
        text = text.replace('="./', f'="{prefix}/')
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


class Revalidated(StaticFiles):
    """Files that a browser asks for again, so that an upgrade of the service reaches an open page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with the instruction to revalidate it."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
