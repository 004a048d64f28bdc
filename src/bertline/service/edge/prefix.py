"""The prefix below which a proxy shows the service: ``/bert`` in ``https://models.example.com/bert/v1/predict``.

Guard, limits, metrics and log see paths without it, whatever the proxy does, so that no rule of theirs can be passed by
a second spelling of a path. The framework sees them with it, as ASGI's ``root_path``: it stands in the description of
the API and in whatever a client is told to ask next. Redirects are relative and need none.
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
# Unreserved characters (RFC 3986, section 2.3) between single slashes, and no part that leads elsewhere.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
STATE = "root_path"  # where the prefix of a request is until it gets to the framework


def prefix_of(text: str) -> str | None:
    """A prefix as it stands before a path, with or without a slash at its end; None if the text cannot be one.

    >>> prefix_of("/bert/"), prefix_of("/ml/bert"), prefix_of("/")
    ('/bert', '/ml/bert', '')
    >>> prefix_of("//evil.example"), prefix_of("javascript:alert(1)"), prefix_of("/a/../b"), prefix_of("bert")
    (None, None, None, None)
    """
    found = text.removesuffix("/")
    return found if not found or (len(found) <= LONGEST and _PREFIX.fullmatch(found)) else None


def checked_prefix(value: str) -> str:
    """The prefix of the settings.

    Raises:
        ValueError: it cannot be one.
    """
    found = prefix_of(value)
    if found is None:
        raise ValueError(
            f"{value[:LONGEST]!r} is no prefix of paths, as in /bert or /ml/bert: letters, digits and . _ ~ - between "
            f"slashes, {LONGEST} characters at most"
        )
    return found


class Prefixed:
    """ASGI middleware outside all others but ``Proxies``: the prefix of the settings, instead of any that is claimed.

    Args:
        app: what gets the request, with a path that has no prefix.
        prefix: not empty.
        strip: the proxy leaves the prefix in the path. It is removed once; a path without it came from elsewhere (a
            probe, say) and stays as it is.
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
    """The path below a prefix; as it is, if it is not below it.

    >>> stripped("/bert/docs", "/bert"), stripped("/bert", "/bert"), stripped("/bertline", "/bert")
    ('/docs', '/', '/bertline')
    """
    below = path.removeprefix(prefix) if prefix else path
    return below if below.startswith("/") else "/" if not below else path


def restore(scope: Scope) -> None:
    """Right before the framework, paths get their prefix back."""
    prefix = scope.get("state", {}).get(STATE, "")
    if prefix and scope["path"].startswith("/"):
        scope["root_path"], scope["path"] = prefix, prefix + scope["path"]


def relative(asked: str, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of a redirect with a relative reference (RFC 3986, section 4.2).

    It holds below any prefix, also one that nobody told, and by whatever name and scheme the client asked.

    Args:
        asked: the path of the request, without its prefix.
        headers: as the framework wrote them.
    """
    return [
        (name, relative_to(asked, value.decode("latin-1")).encode("latin-1") if name == b"location" else value)
        for name, value in headers
    ]


def relative_to(asked: str, location: str) -> str:
    """Where the framework sends whoever forgot the slash at the end of a path, or put one there.

    Args:
        asked: the path of the request.
        location: the absolute address to which it differs by slashes at its end.

    >>> relative_to("/docs/", "http://inner:8000/bert/docs?a=1"), relative_to("/page", "http://inner:8000/bert/page/")
    ('../docs?a=1', './page/')
    """
    url = urlsplit(location)
    name = url.path.rstrip("/").rpartition("/")[2]
    if url.path.endswith("/"):
        reference = f"./{name}/"
    elif asked.endswith("//"):  # clients differ on how many steps up that is
        reference = url.path
    else:
        reference = f"../{name}"
    return f"{reference}?{url.query}" if url.query else reference
