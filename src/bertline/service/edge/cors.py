"""Cross-origin requests from browsers (CORS): refused, unless the page's origin is listed.

Starlette's middleware does the work; this file configures it. It answers preflight requests itself, and they carry no
credential, so it runs before the guard.
"""

from __future__ import annotations

import re
from typing import Any

# No PUT: models are changed from the machine that serves them, never from a page elsewhere.
METHODS = ("GET", "HEAD", "POST")
# Response headers that a page may read. It may send any header: clients of the dialects add their own.
EXPOSED = (
    "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Model", "X-Model-Version",
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id", "X-Warning",
)  # fmt: skip
PREFLIGHT_MAX_AGE_S = 600
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORT = {"http": "80", "https": "443"}


def checked_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """The origins, each as a browser writes it: they are compared as text, so another spelling never matches.

    Raises:
        ValueError: an origin has another spelling.
    """
    for value in values:
        match = _ORIGIN.fullmatch(value)
        if value != "*" and (match is None or match[3] == _DEFAULT_PORT[match[1]]):
            raise ValueError(
                f"{value} is no origin as browsers write it, as in https://shop.example.com or http://a.test:81"
            )
    if "*" in values and len(values) > 1:
        raise ValueError("* is every origin: leave out the others, or *")
    return values


def options(origins: tuple[str, ...], *, credentials: bool) -> dict[str, Any]:
    """The arguments of Starlette's ``CORSMiddleware``."""
    return {
        "allow_origins": origins,
        "allow_methods": METHODS,
        "allow_headers": ("*",),
        "allow_credentials": credentials,
        "expose_headers": EXPOSED,
        "max_age": PREFLIGHT_MAX_AGE_S,
    }
