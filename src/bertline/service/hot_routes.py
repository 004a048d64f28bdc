"""The short way of the requests that come most: well-formed ones to a few routes, without the framework's machinery.

What is answered here is answered by the route's own function, with the arguments that the framework would give it. A
request with anything unusual about it (a fault in its body, a time limit, another content type, a prefix) takes the
framework's way, with the body as it came, so that each message and description exists once.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from bertline.monitoring.addresses import SHED
from bertline.service.problems import response_of
from bertline.service.route_table import every, template_of
from bertline.service.routes import notes
from bertline.service.routes.json_body import json_value
from bertline.service.settings import settings_of
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

# By the names of the endpoints' parameters: what the framework's dependencies would give.
ARGUMENTS: Mapping[str, Callable[[Serving], object]] = {
    "serving": lambda serving: serving,
    "settings": settings_of,
    "deadline_s": lambda serving: serving.deadline_s(None),
    "version": lambda serving: serving.models.named(serving.models.names[0]),
}


@dataclass(frozen=True, slots=True)
class HotRoute:
    """One route: what its function needs.

    Attributes:
        route: the framework's, which names it in metrics, log and traces.
        endpoint: takes ``asked`` and some of ``ARGUMENTS``.
        model: of the body.
        names: of the other arguments.
        shape: makes the response to a problem.
    """

    route: BaseRoute
    endpoint: Callable[..., Awaitable[Response]]
    model: type[BaseModel]
    names: tuple[str, ...]
    shape: Callable[[Problem], Response]


class HotRoutes:
    """The routes of an app that have a short way.

    Args:
        serving: the models.
        routes: of the app.
    """

    def __init__(self, serving: Serving, routes: Iterable[BaseRoute]) -> None:
        self._serving = serving
        self._routes = {path: hot for path, hot in map(_hot, every(routes)) if hot is not None}

    async def answer(self, scope: Scope, body: bytes) -> Response | None:
        """The response, or None where the framework has to look at the request."""
        hot = self._routes.get(scope["path"]) if scope["method"] == "POST" and body else None
        if hot is None or scope.get("root_path") or not _plain(scope["headers"]):
            return None
        noted: notes.Notes = {}
        token = notes.enter(noted)
        try:
            try:
                asked = hot.model.model_validate(json_value(body))
            except (Problem, ValidationError):
                return None
            scope["route"], scope["endpoint"], scope["path_params"] = hot.route, hot.endpoint, {}
            try:
                others = {name: ARGUMENTS[name](self._serving) for name in hot.names}
                response = await hot.endpoint(asked, **others)
            except Problem as problem:
                self._serving.listeners.refused(problem)
                return hot.shape(problem)
            if noted:
                response.headers.update(notes.header(noted))
            return response
        finally:
            notes.leave(token)


def _hot(route: BaseRoute) -> tuple[str, HotRoute | None]:
    path, endpoint = template_of(route) or "", getattr(route, "endpoint", None)
    if path not in SHED or endpoint is None:
        return path, None
    names = tuple(inspect.signature(endpoint).parameters)
    if "asked" not in names:
        return path, None
    model: Any = get_type_hints(endpoint)["asked"]
    others = tuple(name for name in names if name != "asked")
    return path, HotRoute(route, endpoint, model, others, getattr(route, "shape", response_of))


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the body is JSON by its header, and no time limit is named."""
    json = False
    for name, value in headers:
        if name == b"content-type":
            if json or value != b"application/json":
                return False
            json = True
        elif name == b"x-request-timeout-ms":
            return False
    return json
