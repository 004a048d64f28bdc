"""The command ``bertline``, for tests and for the programs that tests start."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 60.0


def path_with_bertline(directory: Path) -> str:
    """A PATH on which ``bertline`` is this one; it is written into the directory."""
    command = directory / "bin" / "bertline"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bertline.cli.main "$@"\n', encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return f"{command.parent}{os.pathsep}{os.environ['PATH']}"


def bertline(*arguments: object, environment: dict[str, str] | None = None) -> str:
    """What a command that must succeed says on standard error."""
    command = [sys.executable, "-m", "bertline.cli.main", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1_200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def processes_with(variable: bytes, *, besides: bytes | None = None) -> list[int]:
    """The processes that have this in their environment, but for those with ``besides`` in their command."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            same = path.name.isdecimal() and variable in (path / "environ").read_bytes().split(b"\0")
            if same and (besides is None or besides not in (path / "cmdline").read_bytes()):
                found.append(int(path.name))
        except OSError:  # it ended
            continue
    return found


def kill_with(variable: bytes, *, besides: bytes | None = None) -> None:
    """End all processes with this in their environment with -9, those too that they start meanwhile, and wait.

    They may be in sessions of their own, as those of torchrun and Slurm are. No other run of a test may have it.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while left := processes_with(variable, besides=besides):
        assert time.monotonic() < deadline_s, f"killed, and still there after {PATIENCE_S:g} s: {left}"
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)
