"""Which pages of other origins may ask from a browser (CORS). None, unless they are listed.

Starlette's middleware does it; here is what it is told. It answers a browser's question in advance (preflight) itself,
which carries no credential, so it stands before the guard.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertline.service.edge.proxies import EdgeSettings

# Models are changed from the machine that serves them, never from a page elsewhere: no PUT.
METHODS = ("GET", "HEAD", "POST")
# What a page may read besides the body. Any header may be sent: clients of the dialects add their own.
EXPOSED = (
    "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Model", "X-Model-Version",
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id", "X-Warning",
)  # fmt: skip
ANSWER_HOLDS_S = 600
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORT = {"http": "80", "https": "443"}


def checked_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """The origins, each as a browser writes it; compared as they are, one that is written otherwise never matches.

    Raises:
        ValueError: one is not.
    """
    for value in values:
        found = _ORIGIN.fullmatch(value)
        if value != "*" and (found is None or found[3] == _DEFAULT_PORT[found[1]]):
            raise ValueError(
                f"{value} is no origin as browsers write it, as in https://shop.example.com or http://a.test:81"
            )
    if "*" in values and len(values) > 1:
        raise ValueError("* is every origin: leave out the others, or *")
    return values


def options(settings: EdgeSettings) -> dict[str, Any]:
    """What Starlette's ``CORSMiddleware`` is told; for settings that list origins."""
    return {
        "allow_origins": settings.cors_origins,
        "allow_methods": METHODS,
        "allow_headers": ("*",),
        "allow_credentials": settings.cors_credentials,
        "expose_headers": EXPOSED,
        "max_age": ANSWER_HOLDS_S,
    }
