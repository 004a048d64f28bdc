"""The routes of an app as a flat list, including those of included routers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope


def every(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes; a mount counts as one."""
    for route in routes:
        included: Any = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from every(included.routes)


def template_of(route: object) -> str | None:
    """The template of a route's path, as in ``/v1/models/{name}``, for metrics, logs, spans and scopes."""
    template: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    return template


def methods_of(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """The methods of all routes with the path of a request, sorted.

    A mount has files. Each path with GET also has HEAD (``service/front.py``).
    """
    scope = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}  # a mount changes it
    methods: set[str] = set()
    for route in every(routes):
        if route.matches(scope)[0] is not Match.NONE:
            methods |= {"GET"} if isinstance(route, Mount) else getattr(route, "methods", None) or set()
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
