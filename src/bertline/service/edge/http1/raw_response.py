"""Responses as bytes, for the protocol below ASGI."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from starlette.responses import Response

from bertline.service.edge.http1.grammar import TOKEN
from bertline.service.edge.security_headers import HEADERS, OWN_ORIGIN_ONLY

NAME = re.compile(rb"%b+" % TOKEN)
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # in a head, besides CR LF


def raw_response(response: Response) -> tuple[bytes, bytes]:
    """The head with its empty line, and the body, with the security headers."""
    response.headers.update({"Content-Security-Policy": OWN_ORIGIN_ONLY, **HEADERS})
    date = b"date", formatdate(usegmt=True).encode()
    return head_of(response.status_code, [date, *response.raw_headers]), bytes(response.body)


def head_of(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    r"""Status line, headers and the empty line.

    Raises:
        RuntimeError: a header would be read as something else.

    >>> head_of(204, [(b"x-model", b"reviews")])
    b'HTTP/1.1 204 No Content\r\nx-model: reviews\r\n\r\n'
    >>> head_of(200, [(b"x-model", b"a\r\nset-cookie: b")])
    Traceback (most recent call last):
    RuntimeError: a header of the response has a control character
    """
    lines = [_status_line(status), *[_prefix(name) + value for name, value in headers], b"\r\n"]
    head = b"\r\n".join(lines)
    breaks = len(lines)
    if head.count(b"\r") != breaks or head.count(b"\n") != breaks or FORBIDDEN.search(head):
        raise RuntimeError("a header of the response has a control character")
    return head


@lru_cache(256)
def _prefix(name: bytes) -> bytes:
    """What comes before a header's value.

    Raises:
        RuntimeError: it is no name.
    """
    if not NAME.fullmatch(name):
        raise RuntimeError("a header of the response has an invalid name")
    return name.lower() + b": "


@lru_cache(256)
def _status_line(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return f"HTTP/1.1 {status} {phrase}".encode()
