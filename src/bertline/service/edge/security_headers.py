"""What the browser is told to refuse: a page of this service loads nothing from anywhere else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import Scope

from bertline.service.edge.prefix import stripped

RawHeaders = Iterable[tuple[bytes, bytes]]

OWN_ORIGIN_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets style attributes and carries its pictures as data: URLs.
SWAGGER = OWN_ORIGIN_ONLY.replace(
    "style-src 'self'; img-src 'self'", "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NAMES = {name.lower().encode() for name in (*HEADERS, "Content-Security-Policy", "Strict-Transport-Security")}


class SecurityHeaders:
    """The headers of every response.

    Args:
        hsts_max_age_s: for how long a browser shall ask by HTTPS only (RFC 6797), said over HTTPS only; 0: not said.
    """

    def __init__(self, hsts_max_age_s: int = 0) -> None:
        self._own = _raw({"Content-Security-Policy": OWN_ORIGIN_ONLY, **HEADERS})
        self._swagger = _raw({"Content-Security-Policy": SWAGGER, **HEADERS})
        self._hsts = _raw({"Strict-Transport-Security": f"max-age={hsts_max_age_s}"}) if hsts_max_age_s else []

    def complete(self, scope: Scope, headers: RawHeaders) -> list[tuple[bytes, bytes]]:
        """The headers of a response with these, in the place of any others of their names."""
        below = stripped(scope["path"], scope.get("root_path", ""))  # the framework's paths have the prefix
        added = self._swagger if below == "/docs" else self._own
        if self._hsts and scope["scheme"] == "https" and not any(map(_of_this_machine, _hosts(scope))):
            added = added + self._hsts
        return [one for one in headers if one[0] not in NAMES] + added


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """As they go over the wire: made once, since adding them one by one takes ten times as long."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _hosts(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"host"]


@lru_cache(256)
def _of_this_machine(host: bytes) -> bool:
    """Names that every machine has. A browser would turn to HTTPS for whatever else is served under them, on all ports.

    >>> _of_this_machine(b"localhost:8443"), _of_this_machine(b"[::1]"), _of_this_machine(b"models.example.com")
    (True, True, False)
    """
    text = host.decode("latin-1").lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
