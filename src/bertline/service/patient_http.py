"""Uvicorn's HTTP, with a bound on how long a connection may take to send the head of a request.

Without it a client that sends a header a minute holds its connection for ever (slow loris).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PatientHttp(HttpToolsProtocol):
    """One connection. ``head_timeout_s``: from its beginning, or the first byte of a request, to the head's last."""

    head_timeout_s = 20.0
    _impatience: asyncio.TimerHandle | None = None

    @classmethod
    def limited(cls, head_timeout_s: float) -> type[PatientHttp]:
        """The protocol with another bound."""
        return type("PatientHttp", (cls,), {"head_timeout_s": head_timeout_s})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The clock starts, for a connection that is used again."""
        super().on_message_begin()
        if self._impatience is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The clock stops."""
        self._stop_waiting()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._impatience = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
