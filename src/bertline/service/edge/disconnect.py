"""Requests whose client has gone: their work is dropped, wherever it is."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Abandoned:
    """ASGI middleware that cancels the handling of a request when its connection closes before the answer.

    It stands inside ``BodyLimit``, which hands it the body in one piece; what it receives after that is the end of the
    connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; stop when nobody waits for the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await receive()
        if body["type"] == "http.disconnect":
            return
        handling = asyncio.current_task()
        assert handling is not None
        unread, gone = [body], asyncio.Event()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            handling.cancel()

        async def replay() -> Message:
            if unread:
                return unread.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                watcher.cancel()  # after its last part the server reports the end of every connection
            await send(message)

        watcher = asyncio.create_task(watch())
        try:
            await self._app(scope, replay, watched)
        except asyncio.CancelledError:
            if not gone.is_set():
                raise
            handling.uncancel()
        finally:
            watcher.cancel()
