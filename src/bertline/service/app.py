"""The ASGI app: routes, page, and middleware around the models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Scope

from bertline import __version__
from bertline.service import listeners, refusals
from bertline.service.admission import Admission, Doors
from bertline.service.comparing import Comparing
from bertline.service.edge import cors
from bertline.service.edge.body_limit import BodyLimit
from bertline.service.edge.prefix import Prefixed
from bertline.service.edge.proxies import Hosts, Proxies
from bertline.service.edge.security_headers import SecurityHeaders
from bertline.service.explaining import Explaining
from bertline.service.feedback_desk import FeedbackDesk
from bertline.service.front import Front, Watching
from bertline.service.guard.door import Guard
from bertline.service.guard.scopes import check_all_named
from bertline.service.history_desk import HistoryDesk
from bertline.service.hot_routes import HotRoutes
from bertline.service.limits.ledger import charge_tokens
from bertline.service.listeners.metrics import HttpMetrics, MetricsListener
from bertline.service.openapi import describing_guard
from bertline.service.perimeter import Perimeter
from bertline.service.review_desk import ReviewDesk
from bertline.service.rollouts import ServerRollouts, judge_of_predictions
from bertline.service.routes import admin, cohere, health, kserve, metrics, oauth, openai, rollouts, root, sagemaker
from bertline.service.routes.context import refusals_of, where_to_ask
from bertline.service.routes.hf import router as hf
from bertline.service.routes.oip import router as oip
from bertline.service.routes.own import anatomy, compare, explain, feedback, history, review, scan, verdicts
from bertline.service.routes.own import router as own
from bertline.service.routes.tei import model as tei_model
from bertline.service.routes.tei import router as tei
from bertline.service.settings import settings_of
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

ROUTERS = [
    module.router
    for module in (
        own, explain, anatomy, compare, verdicts, scan, feedback, history, review, health, metrics, admin, rollouts,
        openai, cohere, oip, kserve, sagemaker, tei, tei_model, hf, root, oauth,
    )
]  # fmt: skip
REFUSE = refusals_of(ROUTERS)
PAGE = Path(__file__).parent / "page"
DESCRIPTION = "Text in, labels with calibrated probabilities out. Texts are not stored, unless the server is told to."


def create_app(serving: Serving, perimeter: Perimeter | None = None) -> FastAPI:
    """The app of these models, which start and stop with it.

    Args:
        serving: the models.
        perimeter: by default without authentication, limits, logs and traces.
    """
    perimeter = perimeter or Perimeter()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with perimeter.running(), serving, own_rollouts.running(), explaining.kept.running():
            yield
            if perimeter.predictions is not None:
                perimeter.predictions.hurry()

    app = App(
        title="bertline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its scripts from another server
        redoc_url=None,
        # FastAPI's own telemetry would put paths and queries in spans (FASTAPI_OTEL_AUTO_CONFIGURE).
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    serving.admit, serving.other_task = charge_tokens, where_to_ask
    app.state.serving, app.state.metrics = serving, listeners.register(serving, perimeter.predictions)
    app.state.feedback = None if perimeter.predictions is None else FeedbackDesk(perimeter.predictions.store)
    app.state.history = None if perimeter.predictions is None else HistoryDesk(perimeter.predictions.store)
    app.state.review = (
        None if perimeter.predictions is None else ReviewDesk(perimeter.predictions, serving.models.named)
    )
    explaining = app.state.explaining = Explaining(serving)
    app.state.issuer = perimeter.issuer
    app.state.comparing, app.state.verdicts = Comparing(serving), None
    own_rollouts = app.state.rollouts = ServerRollouts(
        serving, app.state.metrics.rolled, judge_of_predictions(perimeter)
    )
    refusals.register(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_pages(app)
    check_all_named(app.routes)
    app.openapi = describing_guard(app)  # type: ignore[method-assign]
    app.around = _around(app, serving, perimeter)
    return app


class App(FastAPI):
    """FastAPI's app with our own middleware around it; hot routes do not reach FastAPI.

    Attributes:
        around: wraps FastAPI in our middleware.
    """

    around: Callable[[ASGIApp], ASGIApp]

    def build_middleware_stack(self) -> ASGIApp:
        """Without the framework's handler of unexpected errors: ``Admission`` has its own."""
        outermost: Any = super().build_middleware_stack()
        return self.around(outermost.app)


def _around(app: FastAPI, serving: Serving, perimeter: Perimeter) -> Callable[[ASGIApp], ASGIApp]:
    """The middleware around the framework, the outermost last."""
    ours, edge = settings_of(serving), perimeter.settings.edge
    metrics: MetricsListener = app.state.metrics

    def rejected(problem: Problem) -> None:
        serving.listeners.refused(problem)
        metrics.auth_failed(problem)

    doors = Doors(
        guard=Guard(perimeter.tokens, perimeter.keys),
        limits=perimeter.limits,
        body=BodyLimit(ours.max_body_bytes, ours.body_timeout_s),
        hot=HotRoutes(serving, app.routes),
        refuse=REFUSE,
        on_rejected=rejected,
        on_refused=serving.listeners.refused,
    )
    watching = Watching(
        logs=perimeter.logs,
        settings=perimeter.settings.logs,
        metrics=HttpMetrics(metrics.metrics),
        traces=perimeter.traces,
        hosts=Hosts(perimeter.hosts),
        security=SecurityHeaders(perimeter.settings.tls.hsts_max_age_s),
        draining=lambda: serving.draining,
        refuse=REFUSE,
    )

    def around(framework: ASGIApp) -> ASGIApp:
        wrapped: ASGIApp = Admission(framework, doors)
        if edge.cors_origins:
            wrapped = CORSMiddleware(wrapped, **cors.options(edge.cors_origins, credentials=edge.cors_credentials))
        wrapped = Front(wrapped, watching)
        if edge.root_path:
            wrapped = Prefixed(wrapped, edge.root_path, strip=edge.strip_root_path)
        if edge.trusted_proxies:
            wrapped = Proxies(wrapped, edge.trusted_proxies, edge.forwarded_header)
        return wrapped

    return around


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
    """A page. Its links are relative, which fails only for a prefix without a trailing slash (``/bert``).

    Proxies that strip the prefix request ``/`` in that case too, so the links contain the prefix if it is known.
    """
    text = (PAGE / name).read_text(encoding="utf-8")
    if prefix := scope.get("root_path"):
        text = text.replace('="./', f'="{prefix}/')
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


class Revalidated(StaticFiles):
    """Static files that browsers must revalidate, so that an upgrade of the service takes effect."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with a header that requires revalidation."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
