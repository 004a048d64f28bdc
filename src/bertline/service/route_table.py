"""The routes of an app as one list, those of included routers and nothing of the framework's wrapping among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope


def every(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Each route that answers something, a mount as one."""
    for route in routes:
        included: Any = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from every(included.routes)


def template_of(route: object) -> str | None:
    """A route's path without its values, as in ``/v1/models/{name}``: for metrics, logs, spans and scopes."""
    found: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    return found


def methods_of(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """The methods that the path of a request takes, of all routes that have it, sorted.

    A mount has files. What takes GET takes HEAD (``service/front.py``).
    """
    scope = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}  # a mount changes it
    found: set[str] = set()
    for route in every(routes):
        if route.matches(scope)[0] is not Match.NONE:
            found |= {"GET"} if isinstance(route, Mount) else getattr(route, "methods", None) or set()
    return sorted(found | {"HEAD"} if "GET" in found else found)
