"""Writes predictions behind the answers: a bounded queue, and a thread that inserts what waits in batches.

Whoever answers only appends to the queue. While the store is away, so much is queued as the settings and
``MOST_BYTES`` allow, and the rest is dropped and counted. What was queued is written as soon as the store is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

import sqlalchemy as sql
from sqlalchemy.exc import DataError, IntegrityError

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import adopt
from bertline.lifecycle.predictions.made import Made
from bertline.lifecycle.predictions.reader import FiguresReader
from bertline.lifecycle.predictions.records import ModelRecord, PredictionRecord, PredictionStoreError
from bertline.lifecycle.predictions.retention import Purge
from bertline.lifecycle.predictions.schema import MIGRATIONS
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.store import PURPOSE, add, secret_of
from bertline.monitoring.logs.error_path import path_of
from bertline.monitoring.logs.tally import Tally

log = logging.getLogger(__name__)

EVERY_S = 0.2  # between two batches; what a kill of the server loses
MOST_ROWS = 250  # of a batch, which a single large request may exceed
LET_GO = 16  # records between two pauses of the thread
MOST_BYTES = 64 * 2**20  # of waiting texts, tokens and answers
FLUSH_S = 2.5  # for what waits, from when the last request is answered
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0  # before another attempt
ADOPT_EVERY_S, PURGE_EVERY_S = 60.0, 3600.0
INDEX_EVERY_S = 600.0  # between attempts to add indices: each may keep others from writing for the lock's time limit


class PredictionWriter:
    """The queue and its thread. A context: entering it starts the thread, leaving it writes what waits.

    Args:
        settings: with a URL.

    Raises:
        UsageError: the URL is invalid.
        PredictionStoreError: a SQLite file cannot be created. A PostgreSQL that is away is no error: it is waited for.
    """

    def __init__(self, settings: PredictionSettings) -> None:
        assert settings.url is not None
        self.settings = settings
        self.store = Database(settings.url, PURPOSE, create=True)
        self._queue: deque[Made] = deque()
        self._in_texts = self._in_bytes = 0  # counted by whoever answers
        self._out_texts = self._out_bytes = 0  # counted by the thread
        self._dropped = self._rejected = 0
        self.written = 0
        self.failing = False
        self._key: bytes | None = None
        self._indexed = True
        self._held: sql.Connection | None = None
        self._versions: set[tuple[str, str]] = set()
        self._ending = threading.Event()  # the server ends: no more pauses for the store
        self._stop = threading.Event()  # nothing more is offered
        self._until_s = float("inf")
        self.figures = FiguresReader(self.store)
        self._retention = Purge(self.store, retention_days=settings.retention_days, text_days=settings.text_days)
        self._house: dict[str, tuple[Callable[[Database], object], float]] = {
            "feedback": (adopt, ADOPT_EVERY_S),
            "indices": (self._index, INDEX_EVERY_S),
            "retention": (self._purge, PURGE_EVERY_S),
        }
        self._dues = dict.fromkeys(self._house, 0.0)
        self._kept_house_s = dict.fromkeys(("feedback", "retention"), time.time())  # without indices it works as well
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)
        self._tally = Tally(log, "%d predictions were not kept, because too many wait for their store")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """Texts in the queue."""
        return self._in_texts - self._out_texts

    @property
    def dropped(self) -> int:
        """Predictions that were not kept."""
        return self._dropped + self._rejected

    @property
    def upkeep_s(self) -> dict[str, float]:
        """When each regular work on the store was last done, in Unix time; at first, when the server started."""
        return {**self._kept_house_s, **self.figures.read_s}

    def offer(self, made: Made) -> bool:
        """Queue the answers to a request; False if there is no room. From one thread only; never waits."""
        size = made.memory_bytes
        waiting_bytes = self._in_bytes - self._out_bytes
        if self.waiting + made.texts > self.settings.queue or waiting_bytes + size > MOST_BYTES:
            self._dropped += made.texts
            self._tally.add(made.texts)
            return False
        self._in_texts += made.texts
        self._in_bytes += size
        self._queue.append(made)
        return True

    def hurry(self) -> None:
        """The server ends: the time of ``close`` runs from now, while the server's processes end too."""
        self._until_s = min(self._until_s, time.monotonic() + FLUSH_S)
        self._ending.set()

    def close(self) -> None:
        """Write what waits, for at most ``FLUSH_S``; the rest is lost, and the log says how much."""
        self.hurry()
        self._stop.set()
        self.figures.close()
        self._thread.join(max(0.0, self._until_s - time.monotonic()))
        if self.waiting:
            log.warning("%d predictions were not kept, because %s is away.", self.waiting, self.store.place)
        if not self._thread.is_alive():
            if self._held is not None:
                self._held.close()
            self.store.close()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not (self._stop.is_set() and (not self._queue or time.monotonic() > self._until_s)):
            try:
                full = self._write()
            except Exception as error:  # the thread must not end before the server
                self._fails(error)
                self._pause(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self._works()
            if not full:
                (self._stop if self._ending.is_set() else self._ending).wait(EVERY_S)

    def _pause(self, seconds: float) -> None:
        """Between two attempts: until the server ends, and then only briefly, because it waits."""
        if self._ending.is_set():
            time.sleep(FIRST_PAUSE_S)
        else:
            self._ending.wait(seconds)

    def _write(self) -> bool:
        """Write one batch; whether as much waits again.

        Raises:
            PredictionStoreError: nothing was written, and the batch is still in the queue.
        """
        key = self._opened()
        batch, rows = self._batch()
        if batch:
            versions, records = self._records(batch, key)
            self._insert(versions, records)
            self._versions |= {(one.digest, one.model) for one in versions}
            self.written += len(records)
            for made in batch:
                self._queue.popleft()
                self._out_texts += made.texts
                self._out_bytes += made.memory_bytes
        if not self._ending.is_set():
            self._keep_house()
        return rows >= MOST_ROWS

    def _opened(self) -> bytes:
        if self._key is None:
            self._migrate()
            self._key = secret_of(self.store)
            self._dues["indices"] = time.monotonic() + INDEX_EVERY_S
            self.figures.start()
            if self.store.is_sqlite:  # or each batch, as the last to close the file, would end its write-ahead log
                self._held = self.store.engine.connect()
        return self._key

    def _migrate(self) -> None:
        """Create or migrate the tables; somebody else may hold a lock that their indices need."""
        missing = MIGRATIONS.prepare(self.store)
        if missing is not None and self._indexed:
            again = f"they are tried again every {INDEX_EVERY_S / 60:.0f} minutes"
            log.warning(
                "The store of predictions works without its newest indices and columns for now; %s: %s", again, missing
            )
        elif missing is None and not self._indexed:
            log.info("The store of predictions has its newest indices and columns now.")
        self._indexed = missing is None

    def _index(self, _: Database) -> None:
        if not self._indexed:
            self._migrate()

    def _batch(self) -> tuple[list[Made], int]:
        batch: list[Made] = []
        rows = 0
        for place in range(len(self._queue)):
            made = self._queue[place]  # only the other end changes
            batch.append(made)
            rows += made.texts
            if rows >= MOST_ROWS:
                break
        return batch, rows

    def _records(self, batch: list[Made], key: bytes) -> tuple[list[ModelRecord], list[PredictionRecord]]:
        new = {(one.digest, one.model): one for one in batch if (one.digest, one.model) not in self._versions}
        records: list[PredictionRecord] = []
        for made in batch:
            try:
                records += made.records(self.settings, key)
            except Exception as error:  # a task without this part, say: no reason to keep nothing of the others
                self._reject(made.texts, type(error).__name__)
            if len(records) % LET_GO == 0:
                time.sleep(0)  # let answers go first
        return [one.version() for one in new.values()], records

    def _insert(self, versions: list[ModelRecord], records: list[PredictionRecord]) -> None:
        try:
            with self.store.adding() as connection:
                add(connection, versions, records)
        except PredictionStoreError as error:
            if not isinstance(error.__context__, DataError | IntegrityError):
                raise
            self._insert_singly(versions, records)

    def _insert_singly(self, versions: list[ModelRecord], records: list[PredictionRecord]) -> None:
        """One row that the database refuses must not keep the others out for ever."""
        for record in records:
            try:
                with self.store.adding() as connection:
                    add(connection, versions, [record])
            except PredictionStoreError as error:
                if not isinstance(error.__context__, DataError | IntegrityError):
                    raise
                self._reject(1, type(error.__context__).__name__)
                self.written -= 1

    def _reject(self, texts: int, reason: str) -> None:
        if not self._rejected:
            log.error("A prediction cannot be kept (%s); further ones are only counted.", reason)
        self._rejected += texts

    def _keep_house(self) -> None:
        now_s = time.monotonic()
        if self._stop.is_set():
            return
        for name, (work, every_s) in self._house.items():
            if now_s >= self._dues[name]:
                self._dues[name] = now_s + every_s  # first: one that fails must not keep others from theirs
                work(self.store)
                if name in self._kept_house_s:
                    self._kept_house_s[name] = time.time()

    def _purge(self, _: Database) -> None:
        if self._retention.some():
            self._dues["retention"] = 0.0  # a part after each batch: it may be an hour's predictions, or a year's

    def _fails(self, error: Exception) -> None:
        if not self.failing:
            reason = str(error) if isinstance(error, PredictionStoreError) else path_of(error)
            log.warning("%s; up to %d predictions wait, requests go on.", reason, self.settings.queue)
        self.failing = True

    def _works(self) -> None:
        if self.failing:
            log.warning("%s can be used again; %d predictions were not kept.", self.store.place, self.dropped)
        self.failing = False
