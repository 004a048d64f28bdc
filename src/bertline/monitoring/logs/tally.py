"""At most one log line a second for frequent events."""

from __future__ import annotations

import logging
import time

EVERY_S = 1.0


class Tally:
    """Counts events, and logs their number at most once a second; ``message`` has one ``%d``."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._count, self._logged_s = 0, -EVERY_S

    def add(self, number: int = 1) -> None:
        """Count so many."""
        self._count += number
        now_s = time.monotonic()
        if now_s >= self._logged_s + EVERY_S:
            self._log.warning(self._message, self._count)
            self._count, self._logged_s = 0, now_s
