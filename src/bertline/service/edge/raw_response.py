"""A response as bytes, for the protocol below ASGI."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from starlette.responses import Response

from bertline.service.edge.security_headers import HEADERS, OWN_ORIGIN_ONLY


def raw_response(response: Response) -> tuple[bytes, bytes]:
    """The head with its empty line, and the body, with the security headers."""
    response.headers.update({"Content-Security-Policy": OWN_ORIGIN_ONLY, **HEADERS})
    status = HTTPStatus(response.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status.value, status.phrase.encode())]
    lines.append(b"date: " + formatdate(usegmt=True).encode())
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join(lines) + b"\r\n\r\n", bytes(response.body)
