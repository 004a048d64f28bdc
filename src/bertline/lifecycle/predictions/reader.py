"""Reads what the store says of all predictions, for metrics: on a thread of its own, never in the way of writing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from bertline.database.database import Database
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, latest_accuracy_checks
from bertline.lifecycle.predictions.checks import DriftCheck, latest_checks
from bertline.lifecycle.predictions.figures import Counts, counts_of_all
from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.monitoring.logs.error_path import path_of

log = logging.getLogger(__name__)

COUNTS_EVERY_S, CHECKS_EVERY_S = 30.0, 60.0
AT_MOST = 0.05  # of the time is spent reading: what takes long is read less often


class FiguresReader:
    """The feedback to all predictions and the latest checks, as they were last read.

    What cannot be read stays as it was, and is tried again later.

    Args:
        store: its schema is there when ``start`` is called.

    Attributes:
        counts: feedback by model and version.
        checks: the latest for drift of each model.
        accuracy: the latest test of the feedback on each model.
        read_s: when ``counts``, and the checks, were last read, in Unix time; at first, when this was made.
    """

    def __init__(self, store: Database) -> None:
        self.store = store
        self.counts: dict[tuple[str, str], Counts] = {}
        self.checks: list[DriftCheck] = []
        self.accuracy: list[AccuracyCheck] = []
        self.read_s = dict.fromkeys(("counts", "checks"), time.time())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="predictions-figures", daemon=True)
        self._failing: set[Callable[[], None]] = set()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Read no more; a reading under way is not waited for, because the server would end later for it."""
        self._stop.set()

    def _run(self) -> None:
        dues: dict[Callable[[], None], float] = {self._read_counts: 0.0, self._read_checks: 0.0}
        every_s = {self._read_counts: COUNTS_EVERY_S, self._read_checks: CHECKS_EVERY_S}
        while not self._stop.is_set():
            for read, due_s in dues.items():
                began_s = time.monotonic()
                if began_s < due_s:
                    continue
                self._try(read)
                took_s = time.monotonic() - began_s
                dues[read] = began_s + took_s + max(every_s[read], took_s / AT_MOST)
            self._stop.wait(max(0.0, min(dues.values()) - time.monotonic()))

    def _try(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception as error:  # the thread must not end before the server
            if read not in self._failing and not self._stop.is_set():
                reason = str(error) if isinstance(error, PredictionStoreError) else path_of(error)
                log.warning("%s; the metrics of feedback and drift are older figures.", reason)
            self._failing.add(read)
        else:
            self._failing.discard(read)

    def _read_counts(self) -> None:
        self.counts = counts_of_all(self.store)
        self.read_s["counts"] = time.time()

    def _read_checks(self) -> None:
        self.checks = latest_checks(self.store)
        self.accuracy = latest_accuracy_checks(self.store)
        self.read_s["checks"] = time.time()
