"""One line of the log a second for events of which there may be thousands."""

from __future__ import annotations

import logging
import time

EVERY_S = 1.0


class Tally:
    """Counts events, and says so at most once a second.

    Args:
        log: where to.
        message: with one ``%d`` for their number.
    """

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._count, self._logged_s = 0, -EVERY_S

    def add(self) -> None:
        """One more."""
        self._count += 1
        now_s = time.monotonic()
        if now_s >= self._logged_s + EVERY_S:
            self._log.warning(self._message, self._count)
            self._count, self._logged_s = 0, now_s
