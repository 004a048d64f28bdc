"""A process that promotes, for the tests of promotions: it waits for others, or is killed at one statement.

``python -m tests.stores.promoting URL VERSION FILE WHEN``: it reads the champion, touches ``FILE.VERSION`` and waits
for FILE. WHEN is a number: it ends with SIGKILL before that SQL statement, counted from then on; 0 is never.
``commit`` is the moment before the transaction is kept, ``kept`` the one after.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bertline.errors import BertlineError
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference


def _kill(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_at(database: Database, when: str) -> None:
    if when == "commit":
        event.listen(database.engine, "commit", _kill)
    elif when.isdigit() and int(when):
        left = [int(when)]

        def count(*_: Any) -> None:
            left[0] -= 1
            if not left[0]:
                _kill()

        event.listen(database.engine, "before_cursor_execute", count)


def main(url: str, version: str, gate: str, when: str) -> None:
    with Database(url) as database:
        deployments = Deployments(database, f"process {version}")
        expected = deployments.current("reviews", "champion")
        Path(f"{gate}.{version}").touch()
        while not Path(gate).exists():
            time.sleep(0.005)
        _kill_at(database, when)
        reference = Reference("reviews", version=int(version))
        try:
            entry = deployments.promote(reference, reason="drill", expected=expected)
        except BertlineError as error:
            sys.exit(f"error: {error}")
        if when == "kept":
            _kill()
        assert entry is not None
        print(entry.number)


if __name__ == "__main__":
    main(*sys.argv[1:])
