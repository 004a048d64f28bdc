"""Real processes of their own that need not import anything: they are forked from one that has.

A command spends four seconds on the imports of torch and scikit-learn, and so does each of the processes that ask a
store together. What is tested is what they do, not how they start.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        "bertline.cli.main",
        "bertline.training.distillation.run",
        "bertline.training.pretraining.run",
        "bertline.training.run",
        "sklearn.linear_model",
        "tests.service.limited",
        "torch._dynamo",
    ]
)


class Command:
    """``bertline`` with these arguments.

    Args:
        arguments: without the name of the program.
        output: file for what it prints, on both streams.
    """

    def __init__(self, arguments: Sequence[str], output: Path) -> None:
        self._output = output
        self._process = FORKING.Process(target=_run, args=(list(arguments), output))
        self._process.start()

    def runs(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self, timeout_s: float) -> tuple[int, str]:
        """Its exit code and what it printed."""
        self._process.join(timeout_s)
        code = self._process.exitcode
        assert code is not None, "it still runs"
        self._process.close()
        return code, self._output.read_text(encoding="utf-8")


def _run(arguments: list[str], output: Path) -> None:
    with output.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.argv = ["bertline", *arguments]
    from bertline.cli.main import main

    main()
