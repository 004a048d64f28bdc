"""Which scope each route needs. A route that is missing here is an error when the app is made, not an open door."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from starlette.routing import BaseRoute, Mount, compile_path

from bertline.service.guard.client import Scope
from bertline.service.route_table import every, template_of
from bertline.service.routes.model_names import converted

# Whoever starts, stops or balances asks these and has no credential; they tell nothing but up or down. The last three
# are how a credential is obtained and checked: the first of them asks for a client's secret itself, the others publish
# public keys (RFC 8414, RFC 7517).
OPEN = frozenset(
    {
        "/livez", "/readyz", "/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready",
        "/oauth/token", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server",
    }
)  # fmt: skip
NEEDED: Mapping[str, Scope] = {
    **dict.fromkeys(
        (
            "/", "/page", "/docs", "/openapi.json",
            "/v1/predict", "/v1/tokenize", "/v1/models", "/v1/models/{name}", "/v1/models/{name}:predict",
            "/v1/embeddings", "/embeddings", "/classify",
            "/v2", "/v2/models", "/v2/models/{name}", "/v2/models/{name}/versions/{version}",
            "/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}/ready",
            "/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer",
            "/invocations",
            "/predict", "/embed", "/embed_all", "/embed_sparse", "/similarity", "/rerank", "/tokenize", "/decode",
            "/info", "/models/{name}/info", "/models/{name}/health", "/models/{name}",
            "/models/{name}/pipeline/text-classification", "/models/{name}/pipeline/feature-extraction",
            "/models/{name}/pipeline/sentence-similarity",
        ),
        Scope.PREDICT,
    ),
    "/metrics": Scope.METRICS,
    "/admin/models/{name}": Scope.ADMIN,
    "/admin/models/{name}/rollback": Scope.ADMIN,
}  # fmt: skip
ANY = frozenset(Scope)
LONGEST_KEPT = 200  # characters of a path whose scope is remembered: anybody may make up longer ones


def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(converted(template))[0]


# Starlette's own patterns, so that a path is read here as it is where it leads.
_PATTERNS = [(_pattern(template), frozenset({scope})) for template, scope in NEEDED.items() if "{" in template]
_EXACT = {template: frozenset({scope}) for template, scope in NEEDED.items() if "{" not in template}


def needed(path: str) -> frozenset[Scope] | None:
    """The scopes of which a request for this path needs one; None where it needs no credential at all.

    A path that leads nowhere needs any: only who is known here learns what there is not.

    >>> sorted(needed("/v1/predict")), needed("/livez"), len(needed("/nowhere"))
    ([<Scope.PREDICT: 'predict'>], None, 5)
    """
    if path in OPEN:
        return None
    if path in _EXACT:
        return _EXACT[path]
    return _search(path) if len(path) <= LONGEST_KEPT else _search.__wrapped__(path)


@lru_cache(1024)
def _search(path: str) -> frozenset[Scope]:
    if path.startswith("/page/"):
        return _EXACT["/page"]
    return next((scopes for pattern, scopes in _PATTERNS if pattern.match(path)), ANY)


def templates(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """The path of each route, those of included routers and mounts among them."""
    for route in every(routes):
        path: str = template_of(route) or ""
        yield "/page" if isinstance(route, Mount) and path.startswith("/page") else path


def check_all_named(routes: Iterable[BaseRoute]) -> None:
    """Refuse an app that has a route which nobody gave a scope.

    Raises:
        RuntimeError: with the route's path.
    """
    for template in templates(routes):
        if template not in NEEDED and template not in OPEN:
            raise RuntimeError(f"{template} has no scope: name one in service/guard/scopes.py")
