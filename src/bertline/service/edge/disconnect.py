"""Cancels the work for requests whose client has disconnected."""

from __future__ import annotations

import asyncio
from typing import Self

from starlette.types import Message, Receive

WATCH_AFTER_S = 0.2  # shorter requests are watched by nobody: a task for each to wait for its connection costs more


class Abandonment:
    """Cancels the handling of a request in this task when its connection closes before the response.

    Args:
        body: the message with the body, which the app gets first.
        receive: returns the end of the connection after the body.

    Attributes:
        gone: the client has disconnected.
    """

    __slots__ = ("_ended", "_handling", "_receive", "_task", "_timer", "_unread", "gone")

    def __init__(self, body: Message, receive: Receive) -> None:
        handling = asyncio.current_task()
        assert handling is not None
        self._handling, self._receive, self._unread = handling, receive, [body]
        self._task: asyncio.Task[None] | None = None
        self._ended: asyncio.Event | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._watch)
        self.gone = False

    async def receive(self) -> Message:
        """For the app: the body, then the end of the connection."""
        if self._unread:
            return self._unread.pop()
        if not self.gone:
            self._watch()
            self._ended = self._ended or asyncio.Event()
            await self._ended.wait()
        return {"type": "http.disconnect"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Suppress the cancellation: a disconnect is not an error."""
        self.end()
        if self.gone and isinstance(error, asyncio.CancelledError):
            self._handling.uncancel()
            return True
        return False

    def end(self) -> None:
        """Stop watching, at the end of the response: after it the server reports a disconnect for every connection."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _watch(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._wait(), name="watch a connection")

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._ended is not None:
            self._ended.set()
        self._handling.cancel()
