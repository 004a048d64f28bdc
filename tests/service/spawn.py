"""``bertline serve`` as a process of its own, with real processes that compute, for tests that send it signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
COMMAND = "from bertline.cli.main import main; main()"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


class Spawned:
    """A server that listens on a free port.

    Attributes:
        line: what it said when its models were warm.
        url: where it answers.
    """

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        assert process.stdout
        self._process, self._errors, self._output = process, errors, process.stdout
        self.line = process.stdout.readline().strip()
        assert " at " in self.line, self.errors()
        self.url = self.line.split(" at ")[1].split(" ")[0]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that compute, as the system knows them."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self, timeout_s: float = 60) -> tuple[int, str, str]:
        """Its exit code, what it still printed, and its errors, once it has ended."""
        code = self._process.wait(timeout_s)
        return code, self._output.read(), self.errors()

    def errors(self) -> str:
        """What it wrote to its standard error so far."""
        self._errors.seek(0)
        return self._errors.read()


@contextmanager
def spawned(*arguments: str, **environment: str) -> Iterator[Spawned]:
    """``bertline serve`` with these arguments and variables, ready; killed at the end of the block if it still runs."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        command = [sys.executable, "-c", COMMAND, "serve", "--port", "0", *arguments]
        process = subprocess.Popen(
            command, env={**ENVIRONMENT, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            yield Spawned(process, errors)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
