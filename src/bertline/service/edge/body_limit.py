"""Limits for the size of a request's body and the time to receive it, enforced before it is parsed."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator, Iterable
from typing import Any

from starlette.types import Message, Receive, Scope

from bertline.service.edge.content_encoding import Unpacker, coding_of
from bertline.serving.problems import Code, Problem

WHOLE = 3  # whole-body timeout, as a multiple of the timeout of a part


class BodyLimit:
    """Collects the body of a request.

    The app gets the body as one message: it would collect it anyway, and cannot confuse "too large" with "not JSON".
    (FastAPI's own ``max_body_size`` answers in plain text.) A compressed body is decompressed, and the app gets it with
    the headers of a plain one.

    Args:
        max_body_bytes: of a body, compressed and decompressed.
        timeout_s: until the next part of a body. The whole-body timeout is ``WHOLE`` times as long, so that a trickle
            of bytes does not keep a connection open for ever.
    """

    def __init__(self, max_body_bytes: int, timeout_s: float) -> None:
        self._max_body_bytes, self._timeout_s = max_body_bytes, timeout_s

    async def collect(self, scope: Scope, receive: Receive) -> Message:
        """The whole body as one message, or the disconnect message.

        Raises:
            Problem: the body is invalid (400), too slow (408), too large (413), or in an unsupported coding (415).
        """
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_body_bytes:
                raise self._too_large()
        first = await self._next(receive)
        if first["type"] != "http.request":
            return first
        more = first.get("more_body", False)
        # Without a body the header says nothing, so a GET with it is an ordinary GET.
        coding = coding_of(scope["headers"]) if more or first.get("body") else None
        if coding is None and not more:
            return self._checked(first)  # nearly all requests: nothing to collect
        message = await self._rest(first, receive, Unpacker(coding) if coding else None)
        if coding and message["type"] == "http.request":
            scope["headers"] = _of_plain(scope["headers"], len(message["body"]))
        return message

    async def _rest(self, message: Message, receive: Receive, unpacker: Unpacker | None) -> Message:
        body, taken = bytearray(), 0
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WHOLE * self._timeout_s
        while True:
            if message["type"] != "http.request":
                return message
            part = message.get("body", b"")
            taken += len(part)
            if taken > self._max_body_bytes:
                raise self._too_large()
            body += unpacker.feed(part, self._max_body_bytes + 1 - len(body)) if unpacker else part
            if len(body) > self._max_body_bytes:
                raise self._too_large(" once it is decompressed")
            if not message.get("more_body", False):
                if unpacker:
                    unpacker.end()
                return {"type": "http.request", "body": bytes(body), "more_body": False}
            if loop.time() >= until_s:
                raise _too_slow(f"The body was not complete after {WHOLE * self._timeout_s:g} s")
            message = await self._next(receive)

    async def _next(self, receive: Receive) -> Message:
        waiting = receive()
        try:
            first = waiting.send(None)  # type: ignore[attr-defined]  # a coroutine, by ASGI's specification
        except StopIteration as stop:  # usually the message is there, and no timeout is needed
            message: Message = stop.value
            return message
        try:
            async with asyncio.timeout(self._timeout_s):  # wait_for would create a task
                return await _rest(first, waiting)
        except TimeoutError:
            raise _too_slow(f"No part of the body came for {self._timeout_s:g} s") from None

    def _checked(self, message: Message) -> Message:
        if len(message.get("body", b"")) > self._max_body_bytes:
            raise self._too_large()
        return message

    def _too_large(self, when: str = "") -> Problem:
        return Problem(
            Code.BODY_TOO_LARGE,
            f"The body has more than {self._max_body_bytes:,} bytes{when}, the limit: send fewer or shorter texts.",
        )


@types.coroutine
def _rest(first: Any, waiting: Any) -> Generator[Any, None, Message]:
    """The result of a started coroutine that waits for ``first``."""
    yield first
    message: Message = yield from waiting
    return message


def _of_plain(headers: Iterable[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    """The headers for a body that was decompressed to this size."""
    others = [one for one in headers if one[0] not in (b"content-encoding", b"content-length")]
    return [*others, (b"content-length", b"%d" % size)]


def _too_slow(what: str) -> Problem:
    return Problem(Code.BODY_TOO_SLOW, f"{what}: send it in one go.")
