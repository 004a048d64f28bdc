"""Security headers: a page of this service loads nothing from other origins."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from starlette.types import Scope

from bertline.service.edge.prefix import stripped
from bertline.service.edge.proxies import host_name
from bertline.service.loopback import is_loopback

RawHeaders = Iterable[tuple[bytes, bytes]]

OWN_ORIGIN_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets style attributes and has its images as data: URLs.
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
    """The security headers of every response.

    Args:
        hsts_max_age_s: max-age of Strict-Transport-Security (RFC 6797), sent over HTTPS only; 0 omits the header.
    """

    def __init__(self, hsts_max_age_s: int = 0) -> None:
        self._own = _raw({"Content-Security-Policy": OWN_ORIGIN_ONLY, **HEADERS})
        self._swagger = _raw({"Content-Security-Policy": SWAGGER, **HEADERS})
        self._hsts = _raw({"Strict-Transport-Security": f"max-age={hsts_max_age_s}"}) if hsts_max_age_s else []

    def complete(self, scope: Scope, headers: RawHeaders) -> list[tuple[bytes, bytes]]:
        """The headers of a response with the security headers, which replace any of the same names."""
        below = stripped(scope["path"], scope.get("root_path", ""))  # the framework's paths have the prefix
        added = self._swagger if below == "/docs" else self._own
        if self._hsts and scope["scheme"] == "https" and not _is_local(scope):
            added = added + self._hsts
        return [one for one in headers if one[0] not in NAMES] + added


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Encoded headers, created once because adding them one by one takes ten times as long."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _is_local(scope: Scope) -> bool:
    """Whether the host is a name of every machine: browsers would require HTTPS for all other services on it too."""
    return any(_names_loopback(value) for name, value in scope["headers"] if name == b"host")


@lru_cache(256)
def _names_loopback(host: bytes) -> bool:
    return is_loopback(host_name(host.decode("latin-1")) or "")
