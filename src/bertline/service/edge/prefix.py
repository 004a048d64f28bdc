"""The path prefix of the service at a proxy: ``/bert`` in ``https://models.example.com/bert/v1/predict``.

Guard, limits, metrics and log always see paths without it, so that a second spelling of a path cannot bypass them. The
framework sees paths with it, as ASGI's ``root_path``, and uses it in the OpenAPI description. Redirects are relative.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:  # settings are read without a web server
    from starlette.types import ASGIApp, Receive, Scope, Send

Headers = Iterable[tuple[bytes, bytes]]

LONGEST = 256  # characters
# Unreserved characters (RFC 3986, section 2.3) between single slashes, without . and .. as parts.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
STATE = "root_path"  # key of the prefix in a request's state


def prefix_of(text: str) -> str | None:
    """The prefix in a text, without a trailing slash; None if the text is not a prefix.

    >>> prefix_of("/bert/"), prefix_of("/ml/bert"), prefix_of("/")
    ('/bert', '/ml/bert', '')
    >>> prefix_of("//evil.example"), prefix_of("javascript:alert(1)"), prefix_of("/a/../b"), prefix_of("bert")
    (None, None, None, None)
    """
    prefix = text.removesuffix("/")
    return prefix if not prefix or (len(prefix) <= LONGEST and _PREFIX.fullmatch(prefix)) else None


def checked_prefix(value: str) -> str:
    """The prefix of the settings.

    Raises:
        ValueError: it is invalid.
    """
    prefix = prefix_of(value)
    if prefix is None:
        raise ValueError(
            f"{value[:LONGEST]!r} is not a path prefix such as /bert or /ml/bert: write letters, digits and . _ ~ - "
            f"between slashes, {LONGEST} characters at most"
        )
    return prefix


class Prefixed:
    """ASGI middleware inside ``Proxies``: sets the prefix of the settings, which replaces X-Forwarded-Prefix.

    Args:
        app: gets the request, with a path without prefix.
        prefix: not empty.
        strip: remove the prefix from paths, because the proxy does not. A path without it, of a probe for example,
            stays unchanged.
    """

    def __init__(self, app: ASGIApp, prefix: str, *, strip: bool) -> None:
        self._app, self._prefix, self._strip = app, prefix, strip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            scope.setdefault("state", {})[STATE] = self._prefix
            if self._strip:
                scope["path"] = stripped(scope["path"], self._prefix)
        await self._app(scope, receive, send)


def stripped(path: str, prefix: str) -> str:
    """The path without a prefix; unchanged if it does not begin with it.

    >>> stripped("/bert/docs", "/bert"), stripped("/bert", "/bert"), stripped("/bertline", "/bert")
    ('/docs', '/', '/bertline')
    """
    below = path.removeprefix(prefix) if prefix else path
    return below if below.startswith("/") else "/" if not below else path


def restore(scope: Scope) -> None:
    """Add the prefix to the path again, for the framework."""
    prefix = scope.get("state", {}).get(STATE, "")
    if prefix and scope["path"].startswith("/"):
        scope["root_path"], scope["path"] = prefix, prefix + scope["path"]


def relative(path: str, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of a redirect with a relative reference (RFC 3986, section 4.2).

    It is right below any prefix, even an unknown one, and for any host and scheme. ``path`` is the request's, without
    its prefix.
    """
    return [
        (name, relative_to(path, value.decode("latin-1")).encode("latin-1") if name == b"location" else value)
        for name, value in headers
    ]


def relative_to(path: str, location: str) -> str:
    """The relative reference of a redirect that adds or removes a trailing slash.

    Args:
        path: of the request.
        location: the absolute URL of the redirect, which differs by trailing slashes only.

    >>> relative_to("/docs/", "http://inner:8000/bert/docs?a=1"), relative_to("/page", "http://inner:8000/bert/page/")
    ('../docs?a=1', './page/')
    """
    url = urlsplit(location)
    name = url.path.rstrip("/").rpartition("/")[2]
    if url.path.endswith("/"):
        reference = f"./{name}/"
    elif path.endswith("//"):  # clients disagree about relative references here
        reference = url.path
    else:
        reference = f"../{name}"
    return f"{reference}?{url.query}" if url.query else reference
