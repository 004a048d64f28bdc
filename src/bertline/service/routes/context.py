"""Shared by the routes of all dialects: dependencies, response headers, and the handling of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from bertline.monitoring.addresses import answering
from bertline.service.problems import OWN, Dialect
from bertline.service.refusals import NOT_WHOLE, problem_of
from bertline.service.routes import notes
from bertline.service.routes.json_body import JsonRoute
from bertline.service.settings import ServeSettings, settings_of
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.version import Version

Handler = Callable[[Request], Awaitable[Response]]

# Errors of a body before it is parsed.
UNREAD = (
    Code.BODY_TOO_LARGE, Code.BODY_TOO_SLOW, Code.UNSUPPORTED_CONTENT_ENCODING, Code.INVALID_CONTENT_ENCODING,
)  # fmt: skip
# Errors of any request to a model.
MODEL_ERRORS = (
    *UNREAD, Code.INVALID_JSON, Code.NOT_JSON, Code.MISSING_FIELD, Code.WRONG_TYPE,
    Code.EMPTY_TEXT, Code.INVALID_TEXT, Code.TEXT_TOO_LONG, Code.TOO_MANY_TEXTS, Code.TOO_MANY_TOKENS,
    Code.UNKNOWN_MODEL, Code.INVALID_HEADER, Code.UNSUPPORTED, Code.OTHER_TASK, Code.OUT_OF_RANGE,
    Code.OVERLOADED, Code.DEADLINE, Code.COMPUTE_FAILED, Code.NO_MEMORY, Code.WORKER_LOST,
    Code.NOT_READY, Code.INTERNAL,
)  # fmt: skip


def where_to_ask(version: Version, output: str) -> str:
    """The message for an output that the model does not have: the paths of its own."""
    *others, last = answering(version.spec.output)
    return (
        f"{version.name} is a model for the task {version.spec.task} and has no output {output}: "
        f"use {', '.join(others)} or {last}."
    )


async def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


async def _settings(request: Request) -> ServeSettings:
    return settings_of(request.app.state.serving)


async def _deadline_s(
    request: Request,
    x_request_timeout_ms: Annotated[
        str | None, Header(description="Deadline in milliseconds; 504 if it cannot be met.")
    ] = None,
) -> float:
    serving: Serving = request.app.state.serving
    return serving.deadline_s(x_request_timeout_ms)


async def sent_as_json(request: Request) -> None:
    """Reject other content types, which a page of another origin could send without a preflight request (CORS)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(Code.NOT_JSON, "Send the body as JSON, with the header Content-Type: application/json.", None)


ServingNow = Annotated[Serving, Depends(_serving)]
SettingsNow = Annotated[ServeSettings, Depends(_settings)]
DeadlineNow = Annotated[float, Depends(_deadline_s)]  # on the event loop's clock
AsJson = Depends(sent_as_json)


def answer_headers(answered: Answered) -> dict[str, str]:
    """The model, and the times in milliseconds (https://www.w3.org/TR/server-timing/)."""
    timing = answered.timing
    return {
        "Server-Timing": (
            f"tokenise;dur={1000 * timing.tokenise_s:.2f}, waiting;dur={1000 * timing.queue_s:.2f}, "
            f"inference;dur={1000 * timing.compute_s:.2f}"
        ),
        "X-Model": quote(answered.version.name, safe=" /"),  # a header is ASCII, unlike a name
        "X-Model-Version": answered.version.version,
        "Cache-Control": "no-store",
    }


def json_answer(body: bytes | str, answered: Answered) -> Response:
    """A response with a JSON body."""
    return Response(body, media_type="application/json", headers=answer_headers(answered))


def routes_of(dialect: Dialect) -> type[JsonRoute]:
    """A class of routes with the errors of a dialect: ``APIRouter(route_class=routes_of(...))``."""

    class DialectRoute(JsonRoute):
        refuse = staticmethod(dialect.refuse)

        def get_route_handler(self) -> Any:
            handle: Any = super().get_route_handler()

            async def answer(request: Request) -> Response:
                written: notes.Notes = {}
                token = notes.enter(written)
                try:
                    response: Response = await handle(request)
                    response.headers.update(notes.header(written))
                    return response
                except RequestValidationError as error:
                    problem = problem_of(error.errors())
                except Problem as raised:
                    problem = raised
                except HTTPException:  # FastAPI's, for a body that did not come
                    problem = NOT_WHOLE
                finally:
                    notes.leave(token)
                request.app.state.serving.listeners.refused(problem)
                return dialect.refuse(problem)

            return answer

    return DialectRoute


def refusals_of(routers: Iterable[APIRouter]) -> Callable[[Scope, Problem], Response]:
    """Creates the response for a request that is refused before its route, in the route's dialect."""
    dialects = [route for router in routers for route in router.routes if hasattr(route, "refuse")]

    def refuse(scope: Scope, problem: Problem) -> Response:
        for route in dialects:
            if route.matches(scope)[0] is Match.FULL:
                response: Response = route.refuse(problem)
                return response
        return OWN.refuse(problem)

    return refuse
