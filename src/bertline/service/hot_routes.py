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
from bertline.service.routes import notes, root
from bertline.service.routes.json_body import JsonRequest, json_value
from bertline.service.settings import settings_of
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

# By the names of the endpoints' parameters: what the framework's dependencies would give.
ARGUMENTS: Mapping[str, Callable[[Serving, Scope], object]] = {
    "serving": lambda serving, scope: serving,
    "settings": lambda serving, scope: settings_of(serving),
    "deadline_s": lambda serving, scope: serving.deadline_s(None),
    "version": lambda serving, scope: serving.models.named(scope["path_params"].get("name", serving.models.names[0])),
}
MODELS = "/models/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The function of a route, and what it needs.

    Attributes:
        call: takes ``payload`` or ``request``, and some of ``ARGUMENTS``.
        model: of the body, where it takes ``payload``; a function that takes ``request`` reads it there.
        names: of the other arguments.
        shape: makes the response to a problem.
    """

    call: Callable[..., Awaitable[Response]]
    model: type[BaseModel] | None
    names: tuple[str, ...]
    shape: Callable[[Problem], Response]

    @classmethod
    def of(cls, route: Any) -> Endpoint:
        """Of a route of the framework."""
        names = tuple(inspect.signature(route.endpoint).parameters)
        model = get_type_hints(route.endpoint)["payload"] if "payload" in names else None
        others = tuple(name for name in names if name in ARGUMENTS)
        return cls(route.endpoint, model, others, getattr(route, "refuse", response_of))


class HotRoutes:
    """The routes of an app that have a short way.

    Args:
        serving: the models.
        routes: of the app.
    """

    def __init__(self, serving: Serving, routes: Iterable[BaseRoute]) -> None:
        self._serving = serving
        posts = {template_of(one): one for one in every(routes) if "POST" in (getattr(one, "methods", None) or ())}
        self._routes = {path: (one, Endpoint.of(one)) for path, one in posts.items() if path in SHED}
        self._root, self._named = posts["/"], posts[f"{MODELS}{{name}}"]
        self._by_body = {handler: Endpoint.of(one) for handler, one in root.ENDPOINTS.items()}

    async def answer(self, scope: Scope, body: bytes) -> Response | None:
        """The response, or None where the framework has to look at the request."""
        if scope["method"] != "POST" or not body or scope.get("root_path"):
            return None
        found = self._find(scope["path"])
        if found is None or not _plain(scope["headers"]):
            return None
        noted: notes.Notes = {}
        token = notes.enter(noted)
        try:
            route, endpoint, parameters = found
            value = json_value(body)
            if endpoint is None:
                endpoint = self._chosen(value, scope["headers"], parameters)
            given = endpoint.model.model_validate(value) if endpoint.model else JsonRequest.read(scope, value)
        except (Problem, ValidationError):
            notes.leave(token)
            return None
        try:
            scope["route"], scope["endpoint"], scope["path_params"] = (
                route,
                getattr(route, "endpoint", None),
                parameters,
            )
            others = {name: ARGUMENTS[name](self._serving, scope) for name in endpoint.names}
            response = await endpoint.call(given, **others)
            if noted:
                response.headers.update(notes.header(noted))
            return response
        except Problem as problem:
            self._serving.listeners.refused(problem)
            return endpoint.shape(problem)
        finally:
            notes.leave(token)

    def _find(self, path: str) -> tuple[BaseRoute, Endpoint | None, dict[str, str]] | None:
        """Route, endpoint (None: the body decides) and what the path names."""
        if path in self._routes:
            return *self._routes[path], {}
        if path == "/":
            return self._root, None, {}
        name = path.removeprefix(MODELS)
        return (self._named, None, {"name": name}) if name != path and name in self._serving.models.names else None

    def _chosen(self, value: object, headers: Iterable[tuple[bytes, bytes]], parameters: Mapping[str, str]) -> Endpoint:
        """Of the dialects that share an address, the one that a request speaks.

        Raises:
            Problem: no model answers yet.
        """
        agent = next((given for name, given in headers if name == b"user-agent"), b"").decode("latin-1")
        names = self._serving.models.names
        version = self._serving.models.named(parameters.get("name", names[0]))
        return self._by_body[root.handler_of(value, agent, version.spec.task)]


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the body is JSON by its header, and neither a time limit nor a number of the client's is named."""
    json = False
    for name, value in headers:
        if name == b"content-type":
            if json or value != b"application/json":
                return False
            json = True
        elif name in (b"x-request-timeout-ms", b"x-amzn-trace-id"):
            return False
    return json
