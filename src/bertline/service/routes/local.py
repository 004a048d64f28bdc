"""Routes that answer only clients on this machine, unless the guard has checked a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from bertline.service.guard.door import ANONYMOUS
from bertline.service.loopback import is_loopback
from bertline.serving.problems import Code, Problem

# A proxy on this machine makes every client look local; these headers reveal it.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-prefix", "x-real-ip", "via")


def local_only(message: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency that rejects remote clients, and pages of other sites in a local browser, with this message.

    Such a page has its own host in Host if that name resolves to this machine, or else its own Origin.
    """

    async def require(request: Request) -> None:
        if request.state.client is not ANONYMOUS:  # the guard has checked the scope
            return
        peer = request.client.host if request.client else ""
        is_local = is_loopback(peer) and is_loopback(request.url.hostname or "")
        own = f"{request.url.scheme}://{request.url.netloc}"
        is_foreign = request.headers.get("origin", own) != own
        if not is_local or is_foreign or any(one in request.headers for one in FORWARDED):
            raise Problem(Code.NOT_LOCAL, message)

    return require
