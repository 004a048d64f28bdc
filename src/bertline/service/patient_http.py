"""Uvicorn's HTTP, with a bound on how long a connection may take to send a request's head, and refusals at its sight.

Without the bound a client that sends a header a minute holds its connection for ever (slow loris). What is refused at
the sight of its head (``service/shedding.py``) never becomes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bertline.service.shedding import Headers
from bertline.service.tls import extensions

Refuse = Callable[[bytes, bytes, Headers], bytes | None]

# In the place of uvicorn's handling of a request: it has ended already, so what is left of the body is thrown away.
REFUSED: Any = SimpleNamespace(response_complete=True, message_event=asyncio.Event(), disconnected=False)


class PatientHttp(HttpToolsProtocol):
    """One connection.

    Attributes:
        head_timeout_s: from the connection's beginning, or the first byte of a request, to the head's last byte (to
            the body's, if the request is refused at the sight of its head).
        refuse: from method, path and headers to the whole answer, if the request is to be refused at once.
    """

    head_timeout_s = 20.0
    refuse: Refuse = staticmethod(lambda method, path, headers: None)
    _impatience: asyncio.TimerHandle | None = None
    _refusal: bytes | None = None

    @classmethod
    def limited(cls, head_timeout_s: float, refuse: Refuse | None = None) -> type[PatientHttp]:
        """The protocol with another bound, and refusals."""
        more = {"refuse": staticmethod(refuse)} if refuse else {}
        return type("PatientHttp", (cls,), {"head_timeout_s": head_timeout_s, **more})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts."""
        super().connection_made(transport)
        self._extensions = extensions(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The clock starts, for a connection that is used again."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        if self._impatience is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The clock stops, unless the request is refused: then it goes on until the body is there too."""
        cycle: Any = self.cycle  # None until the first request
        idle = cycle is None or cycle.response_complete
        if idle and self.parser.should_keep_alive():
            self._refusal = self.refuse(self.parser.get_method(), self.url, self.headers)
        if self._refusal is not None:
            self.cycle = REFUSED
            return
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is there: the moment to say no, if it was refused."""
        if self._refusal is None:
            super().on_message_complete()
            return
        head, self._refusal = self._refusal, None
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(head)
            self.on_response_complete()

    def _wait(self) -> None:
        self._impatience = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
