"""Bounds on the body of a request, held before anything parses it: its size, and how long it may take to arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.service.problems import Code, Problem

WHOLE = 3  # times as long as any of its parts may the whole body take


class BodyLimit:
    """ASGI middleware: refuse a body of more than ``max_body_bytes``, announced or not, or slower than ``timeout_s``.

    That is the time until its next part; all parts together have ``WHOLE`` times as long, so that a byte now and then
    does not hold a connection for ever.

    The body is collected here and passed on in one piece: the app would collect it anyway, and cannot confuse
    "too large" with "not JSON". (FastAPI's own ``max_body_size`` answers in plain text.)
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        timeout_s: float,
        refuse: Callable[[Scope, Problem], Response] = lambda _, problem: problem.response(),
    ) -> None:
        self._app, self._max_body_bytes, self._timeout_s, self._refuse = app, max_body_bytes, timeout_s, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, or answer 413 or 408."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            waiting = [await self._collect(scope, receive)]
        except Problem as problem:
            # What is left of the body is not read, so the connection cannot be used again.
            refused = self._refuse(scope, problem)
            refused.headers["Connection"] = "close"
            await refused(scope, receive, send)
            return

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _collect(self, scope: Scope, receive: Receive) -> Message:
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body_bytes:
            raise self._too_large()
        first = await self._next(receive)
        if first["type"] == "http.request" and not first.get("more_body", False):
            return self._checked(first)  # what nearly all requests are: nothing to collect
        return await self._rest(first, receive)

    async def _rest(self, message: Message, receive: Receive) -> Message:
        body = bytearray()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WHOLE * self._timeout_s
        while True:
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return {"type": "http.request", "body": bytes(body), "more_body": False}
            if loop.time() >= until_s:
                raise _too_slow(f"The body was not complete after {WHOLE * self._timeout_s:g} s")
            message = await self._next(receive)

    async def _next(self, receive: Receive) -> Message:
        try:
            return await asyncio.wait_for(receive(), self._timeout_s)
        except TimeoutError:
            raise _too_slow(f"Nothing of the body came for {self._timeout_s:g} s") from None

    def _checked(self, message: Message) -> Message:
        if len(message.get("body", b"")) > self._max_body_bytes:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        return Problem(
            Code.BODY_TOO_LARGE,
            f"The body has more than {self._max_body_bytes:,} bytes, the limit: send fewer or shorter texts.",
        )


def _too_slow(what: str) -> Problem:
    return Problem(Code.BODY_TOO_SLOW, f"{what}: send it in one go.")
