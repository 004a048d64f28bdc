"""A response as bytes, for the protocol below ASGI."""

from __future__ import annotations

from email.utils import formatdate

from starlette.responses import Response

from bertline.service.edge.http1.cycle import head_of
from bertline.service.edge.security_headers import HEADERS, OWN_ORIGIN_ONLY


def raw_response(response: Response) -> tuple[bytes, bytes]:
    """The head with its empty line, and the body, with the security headers."""
    response.headers.update({"Content-Security-Policy": OWN_ORIGIN_ONLY, **HEADERS})
    date = b"date", formatdate(usegmt=True).encode()
    return head_of(response.status_code, [date, *response.raw_headers]), bytes(response.body)
