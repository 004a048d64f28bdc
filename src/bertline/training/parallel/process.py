"""A process that carries out a job as one rank: started here, heard over a socket."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from bertline.training.parallel.job import Job
from bertline.training.parallel.line import send


class RankProcess:
    """A running ``worker``.

    Args:
        job: to carry out.
        environ: of the process.
        folder: to run in; by default the one of this process.

    Attributes:
        line: messages come in there, until the process ends.
    """

    def __init__(self, job: Job, environ: Mapping[str, str], folder: Path | None = None) -> None:
        self.line: Connection
        self.line, its = multiprocessing.Pipe()
        # In a process group of its own: Ctrl-C reaches the launcher alone, which passes it on once.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bertline.training.parallel.worker", str(its.fileno())],
            env=environ,
            cwd=folder,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        its.close()
        with suppress(OSError):  # it has died, which the line will show
            send(self.line, job)

    def ask_to_stop(self) -> None:
        """At the next step, with a checkpoint."""
        self._process.send_signal(signal.SIGTERM)

    def code(self) -> int:
        """Its exit code, once the line is at its end."""
        return self._process.wait()

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.line.close()
