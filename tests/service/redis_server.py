"""A real Redis for tests: Debian's, reached by a socket in a temporary directory alone, and keeping nothing on disk."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.programs import program


class RedisServer:
    """One server."""

    def __init__(self, binary: str, directory: Path) -> None:
        self._binary, self._directory = binary, directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> Path:
        """Of its socket."""
        return self._directory

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"unix://{self._directory}/redis.sock"

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [self._binary, "--port", "0", "--unixsocket", f"{self._directory}/redis.sock", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._directory)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    def hang(self, *, on: bool) -> None:
        """Keep its connections and answer nothing, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def stop(self) -> None:
        """Stop at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server of one's own, running; skips the test where Redis is not installed, but not in CI."""
    binary = program("redis-server")
    with tempfile.TemporaryDirectory(prefix="bertline-redis-") as directory:  # a socket's path must be short
        server = RedisServer(binary, Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()
