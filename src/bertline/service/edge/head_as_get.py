"""HEAD: whatever answers GET answers HEAD with the same status and headers, and no body (RFC 9110, section 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: everything inside it takes a HEAD request for a GET, and the body of the answer is dropped.

    It stands outside the guard and the limits, so that none of them has a second rule, and inside whatever counts and
    logs requests, so that those are counted as HEAD.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, without_body)
        finally:
            # The route and the client, which metrics, log and traces name. The server needs the method as it was.
            scope.update({**inner, "method": "HEAD"})
