"""One request after the other over one kept connection: what a single caller sees."""

from __future__ import annotations

import json
import socket
import time
from types import TracebackType
from typing import Any, Self

import httptools

from benchmarks.servers.load import HOST, wire


class Client:
    """A blocking connection, opened again when the server has closed it.

    Raises:
        OSError: the server does not listen, or broke off twice in a row.
    """

    def __init__(self, port: int, path: str, headers: str = "", timeout_s: float = 60.0) -> None:
        self.port, self.path, self.headers, self.timeout_s = port, path, headers, timeout_s
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, body: str) -> tuple[int, bytes, float]:
        """Status and content of one answer, and milliseconds from the request's first byte to the answer's last."""
        request = wire(self.port, self.path, body, self.headers)
        kept = self._socket is not None
        try:
            return self._exchange(request)
        except OSError:
            self.close()
            if not kept:
                raise
        return self._exchange(request)

    def _exchange(self, request: bytes) -> tuple[int, bytes, float]:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), self.timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = _Answer()
        began = time.perf_counter()
        self._socket.sendall(request)
        while not answer.complete:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError(f"port {self.port} closed the connection before it had answered")
            answer.parser.feed_data(data)
        took_ms = 1000 * (time.perf_counter() - began)
        if not answer.parser.should_keep_alive():
            self.close()
        return answer.parser.get_status_code(), bytes(answer.content), took_ms

    def json(self, body: str) -> Any:
        """The content of an answer that has to be a success.

        Raises:
            RuntimeError: it is none.
        """
        status, content, _ = self.ask(body)
        if status != 200:
            raise RuntimeError(f"port {self.port} answered {status}: {content[:500]!r}")
        return json.loads(content)


class _Answer:
    """Collects one answer."""

    def __init__(self) -> None:
        self.content, self.complete = bytearray(), False
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.complete = True
