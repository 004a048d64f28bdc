"""Messages between a launcher and its processes.

They are pickled by Python alone: ``Connection.send`` would leave a tensor's storage in the process that sends it, which
may have ended before the other one reads.
"""

from __future__ import annotations

import pickle
from multiprocessing.connection import Connection
from typing import Any


def send(line: Connection, *message: Any) -> None:
    """Send a message of several parts.

    Raises:
        OSError: the other side is gone.
    """
    line.send_bytes(pickle.dumps(message))


def receive(line: Connection) -> tuple[Any, ...]:
    """Wait for a message.

    Raises:
        EOFError, OSError: the other side is gone.
    """
    message: tuple[Any, ...] = pickle.loads(line.recv_bytes())
    return message
