"""Which scope each address needs (``bertline.monitoring.addresses``); what is not in that table is no open door."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from starlette.routing import BaseRoute, Mount, compile_path

from bertline.monitoring.addresses import ADDRESSES, BY_TEMPLATE
from bertline.service.guard.client import Scope
from bertline.service.name_convertor import converted
from bertline.service.route_table import every, template_of

ANY = frozenset(Scope)
LONGEST_KEPT = 200  # characters of a path whose scope is remembered: anybody may make up longer ones


def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(converted(template))[0]


# Starlette's own patterns, so that a path is read here as it is where it leads.
_SCOPES = {one.template: frozenset({Scope(one.scope)}) if one.scope else None for one in ADDRESSES}
_PATTERNS = [(_pattern(template), scopes) for template, scopes in _SCOPES.items() if "{" in template]
_EXACT = {template: scopes for template, scopes in _SCOPES.items() if "{" not in template}


def needed(path: str) -> frozenset[Scope] | None:
    """The scopes of which a request for this path needs one; None where it needs no credential at all.

    A path that leads nowhere needs any: only who is known here learns what there is not.

    >>> sorted(needed("/v1/predict")), needed("/livez"), len(needed("/nowhere"))
    ([<Scope.PREDICT: 'predict'>], None, 3)
    """
    if path in _EXACT:
        return _EXACT[path]
    return _search(path) if len(path) <= LONGEST_KEPT else _search.__wrapped__(path)


@lru_cache(1024)
def _search(path: str) -> frozenset[Scope] | None:
    if path.startswith("/page/"):
        return _EXACT["/page"]
    return next((scopes for pattern, scopes in _PATTERNS if pattern.match(path)), ANY)


def templates(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """The path of each route, those of included routers and mounts among them."""
    for route in every(routes):
        path: str = template_of(route) or ""
        yield "/page" if isinstance(route, Mount) and path.startswith("/page") else path


def check_all_named(routes: Iterable[BaseRoute]) -> None:
    """Refuse an app with a route that nobody gave a scope.

    Raises:
        RuntimeError: with the route's path.
    """
    for template in templates(routes):
        if template not in BY_TEMPLATE:
            raise RuntimeError(f"{template} has no scope: declare it in monitoring/addresses.py")
