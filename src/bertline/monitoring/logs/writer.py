"""Writes log lines from a separate thread, so that no request waits for the reader of the log.

A full pipe blocks only this thread. Lines beyond the queue's capacity are dropped and counted, and a line reports their
number once the stream is writable again.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

CAPACITY_LINES = 10_000  # some ten megabytes
LINGER_S = 0.1  # lines of a busy server are written together: each write costs wake-ups of a thread and system calls
CLOSE_S = 2.0


class LogWriter:
    """Writes lines in order.

    Args:
        stream: a text stream.
        lost: renders the line that reports dropped lines.
        capacity: of the queue, in lines.

    Attributes:
        dropped: number of lines that were not written.
    """

    def __init__(self, stream: TextIO, lost: Callable[[int], str], *, capacity: int = CAPACITY_LINES) -> None:
        self.dropped = 0
        self._stream, self._lost, self._capacity = stream, lost, capacity
        self._reported = 0
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._counting, self._closing = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, line: str) -> None:
        """Queue a line; returns at once."""
        if self._queue.qsize() >= self._capacity or self._closing.is_set():
            self._count(1)
        else:
            self._queue.put(line)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write pending lines, or give up after the timeout."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
            atexit.unregister(self.close)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        ended = False
        while not ended:
            lines = [self._queue.get()]
            self._closing.wait(LINGER_S)
            while not self._queue.empty():
                lines.append(self._queue.get_nowait())
            ended = None in lines
            self._write([line for line in lines if line is not None])

    def _write(self, lines: list[str]) -> None:
        lost = self.dropped - self._reported
        if lost:
            lines = [*lines, self._lost(lost)]
        if not lines:
            return
        try:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # the pipe is broken, or the stream is closed
            self._count(len(lines) - bool(lost))
        else:
            self._reported += lost

    def _count(self, lines: int) -> None:
        with self._counting:
            self.dropped += lines
