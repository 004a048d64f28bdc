"""The command ``bertline``, for tests and for the programs that tests start."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path


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
