"""The scope that each path requires (``bertline.monitoring.addresses``); unknown paths require one too."""

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
LONGEST_CACHED = 200  # characters: anybody can invent longer paths


def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(converted(template))[0]


# Starlette's own patterns, so that guard and router match alike.
_SCOPES = {one.template: frozenset({Scope(one.scope)}) if one.scope else None for one in ADDRESSES}
_PATTERNS = [(_pattern(template), scopes) for template, scopes in _SCOPES.items() if "{" in template]
_EXACT = {template: scopes for template, scopes in _SCOPES.items() if "{" not in template}


def required_scopes(path: str) -> frozenset[Scope] | None:
    """The scopes of which a request needs one; None for public paths.

    An unknown path requires any scope: only authenticated clients get a 404.

    >>> sorted(required_scopes("/v1/predict")), required_scopes("/livez"), len(required_scopes("/nowhere"))
    ([<Scope.PREDICT: 'predict'>], None, 6)
    """
    if path in _EXACT:
        return _EXACT[path]
    return _search(path) if len(path) <= LONGEST_CACHED else _search.__wrapped__(path)


@lru_cache(1024)
def _search(path: str) -> frozenset[Scope] | None:
    if path.startswith("/page/"):
        return _EXACT["/page"]
    return next((scopes for pattern, scopes in _PATTERNS if pattern.match(path)), ANY)


def templates(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """The path of each route, including those of nested routers and mounts."""
    for route in every(routes):
        path: str = template_of(route) or ""
        yield "/page" if isinstance(route, Mount) and path.startswith("/page") else path


def check_all_named(routes: Iterable[BaseRoute]) -> None:
    """Check that the table has a scope for each route.

    Raises:
        RuntimeError: names a route that is missing.
    """
    for template in templates(routes):
        if template not in BY_TEMPLATE:
            raise RuntimeError(f"{template} has no scope: declare it in monitoring/addresses.py")
