"""A TCP proxy that counts what it forwards, and cuts, stalls or changes it on demand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 64 * 2**10


class Lossy:
    """The proxy of one server; all positions count the bytes of every answer since ``reset``.

    Attributes:
        sent_bytes: forwarded to clients.
        cut_at: close the connection there, once.
        stall_at: send nothing more on that connection from there on, once.
        flip_at: change a byte there, once.
        pace_bytes_s: at most; None is as fast as it goes.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port, self._lock = server_port, threading.Lock()
        self.port = 0
        self.reset()

    def reset(self) -> None:
        """Count from zero, without faults."""
        self.sent_bytes = 0
        self.cut_at: int | None = None
        self.stall_at: int | None = None
        self.flip_at: int | None = None
        self.pace_bytes_s: float | None = None

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _answer(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                changed, fault = self._spoilt(data)
                target.sendall(changed)
                if fault == "stall":
                    time.sleep(60)
                if fault:
                    break
        for one in (source, target):
            one.close()

    def _spoilt(self, data: bytes) -> tuple[bytes, str]:
        with self._lock:
            start, end = self.sent_bytes, self.sent_bytes + len(data)
            self.sent_bytes = end
            pace = self.pace_bytes_s
            if self.flip_at is not None and start <= self.flip_at < end:
                at, self.flip_at = self.flip_at - start, None
                data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            for fault in ("cut", "stall"):
                at_byte = getattr(self, f"{fault}_at")
                if at_byte is not None and start <= at_byte < end:
                    setattr(self, f"{fault}_at", None)
                    return data[: at_byte - start], fault
        if pace:
            time.sleep(len(data) / pace)
        return data, ""


@contextmanager
def lossy(server_port: int) -> Iterator[Lossy]:
    """A proxy of one's own, which listens on this machine."""
    proxy = Lossy(server_port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy
