"""One process of a run: ``python -m bertline.training.parallel.worker DESCRIPTOR``, which ``launch`` starts.

The descriptor is a socket to the launcher. A job comes in; progress, warnings and the result or an error go out. If the
launcher goes away, so does this process, because nobody else would stop it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from multiprocessing.connection import Connection
from typing import Any

from bertline.errors import BertlineError, BertlineWarning
from bertline.tasks.history import EpochRecord
from bertline.training.parallel.job import Job
from bertline.training.parallel.join import joined
from bertline.training.parallel.line import receive, send
from bertline.training.progress import Plan, Progress, Silent, Step

CRASHED = 70  # exit code after an exception that is nobody's mistake but ours, EX_SOFTWARE of sysexits.h


class Events:
    """Progress as messages to the launcher, which has the listener.

    Args:
        line: to the launcher.
    """

    def __init__(self, line: Connection) -> None:
        self._line = line

    def note(self, text: str) -> None:
        """Send it."""
        send(self._line, "note", text)

    def planned(self, plan: Plan) -> None:
        """Send it."""
        send(self._line, "planned", plan)

    def stepped(self, step: Step) -> None:
        """Send it."""
        send(self._line, "stepped", step)

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """Send it."""
        send(self._line, "epoch_ended", record, best)


def work(line: Connection) -> int:
    """Carry out the job that comes in; returns the exit code."""
    job: Job = receive(line)[0]
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    try:
        with joined() as ranks:
            listener: Progress = Events(line) if ranks.leads else Silent()
            warnings.showwarning = _sent(line) if ranks.leads else _ignored
            result = job(listener)
        if ranks.leads:
            send(line, "done", result)
    except BertlineError as error:
        error.add_note(traceback.format_exc())  # of this process; --debug shows it
        send(line, "failed", error)
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        send(line, "crashed", f"{type(error).__name__}: {error}")
        return CRASHED
    return 0


def _end_with(line: Connection) -> None:
    try:
        line.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGKILL)


def _sent(line: Connection) -> Any:
    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, BertlineWarning):
            send(line, "warned", str(message), category)

    return show


def _ignored(*_: Any, **__: Any) -> None:
    """Followers have the leader's warnings."""


if __name__ == "__main__":
    raise SystemExit(work(Connection(int(sys.argv[1]))))
