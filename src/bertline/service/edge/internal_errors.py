"""Errors that nobody foresaw: the client gets a 500 that says nothing, the log where to look.

The log has the kind of the error and the lines of code it went through, never its message: messages of
libraries like to quote their input, and the input is somebody's text.
"""

from __future__ import annotations

import logging
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.monitoring.logs.error_path import path_of
from bertline.service.problems import response_of
from bertline.service.record import current
from bertline.serving.problems import Code, Problem

log = logging.getLogger(__name__)


class UnexpectedErrors:
    """ASGI middleware that answers 500 to what no other part has answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; log and answer whatever it raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            record = current()
            number = record.id if record else uuid4().hex
            route = getattr(scope.get("route"), "path", "(unknown path)")  # not the path, which anybody may make up
            log.error("request %s, %s %s: %s", number, scope["method"], route, path_of(error))
            if started:
                raise RuntimeError(f"request {number} failed halfway") from None
            message = f"The server failed on this request; its log has the details under {number}."
            answer = response_of(Problem(Code.INTERNAL, message), {"X-Request-Id": number})
            await answer(scope, receive, send)
