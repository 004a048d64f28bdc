"""Predictions that a real server writes while it is stopped, killed, and left by its database."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sql

from bertline.lifecycle.predictions.schema import PREDICTIONS
from bertline.lifecycle.predictions.store import open_store
from bertline.testing.tiny import write_tiny_bundle
from tests.service.postgres import Postgres, cluster
from tests.service.spawn import Spawned, spawned

TEXTS = 32  # of a request
QUEUE = 3000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("predictions") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@dataclass
class Asking:
    """Clients that ask until they are stopped; the ids of the requests that were answered."""

    url: str
    answered: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, name: int) -> None:
        texts = [f"it is at us {place}" for place in range(TEXTS)]
        with httpx.Client(base_url=self.url, timeout=30) as client:
            number = 0
            while not self.stop.is_set():
                number += 1
                given = f"c{name}-{number}"
                try:
                    answer = client.post("/v1/predict", json={"texts": texts}, headers={"X-Request-Id": given})
                except httpx.TransportError:  # the server is gone
                    return
                if answer.status_code == 200:
                    self.answered.append(given)


@contextmanager
def asking(url: str, clients: int = 2) -> Iterator[Asking]:
    one = Asking(url)
    threads = [threading.Thread(target=one.run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        for thread in threads:
            thread.join(60)


def kept(url: str) -> list[tuple[str, int]]:
    with open_store(url) as store, store.reading() as connection:
        query = sql.select(PREDICTIONS.c.request_id, PREDICTIONS.c.item)
        return [(request, item) for request, item in connection.execute(query)]


def every(answered: Sequence[str]) -> set[tuple[str, int]]:
    return {(one, item) for one in answered for item in range(TEXTS)}


def metric(server: Spawned, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", timeout=30).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def memory_mb(server: Spawned) -> float:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def until(what: str, server: Spawned, name: str, least: float) -> None:
    deadline_s = time.monotonic() + 60
    while metric(server, name) < least:
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


@pytest.mark.drill
def test_nothing_that_was_answered_is_lost_when_the_server_stops(bundle: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    with spawned(str(bundle), "--predictions-url", url, "--drain-s", "0.5") as server, asking(server.url) as load:
        time.sleep(2)
        server.stop(signal.SIGTERM)
        code, _, errors = server.ended()
    assert code == 0
    assert "not kept" not in errors
    found = kept(url)
    assert len(found) == len(set(found)) >= 1000
    assert every(load.answered) <= set(found)


@pytest.mark.drill
def test_a_killed_server_leaves_a_whole_database_that_the_next_one_goes_on_with(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.db"
    answered: list[str] = []
    for _ in range(3):
        with spawned(str(bundle), "--predictions-url", f"sqlite:///{file}") as server, asking(server.url) as load:
            until("it writes", server, "bertline_predictions_written_total", 500)
            server.stop(signal.SIGKILL)
            server.ended()
        answered += load.answered
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = kept(f"sqlite:///{file}")
    whole = {request for request, _ in found}
    assert len(found) >= 1500
    # A request's rows are written in one transaction, so a request is there with all its texts or not at all.
    assert all(sum(1 for one, _ in found if one == request) % TEXTS == 0 for request in sorted(whole)[:50])


@pytest.mark.drill
def test_a_database_that_is_away_costs_bounded_memory_and_is_caught_up_with(bundle: Path) -> None:
    with cluster() as database:
        flags = ("--predictions-url", database.url, "--predictions-queue", str(QUEUE), "--drain-s", "0")
        with spawned(str(bundle), *flags) as server:
            _ride_out(server, database)
            server.stop(signal.SIGTERM)
            code, _, errors = server.ended()
            assert code == 0
        assert errors.count("can be used again") == 1
        found = kept(database.url)
        assert len(found) == len(set(found))


def _ride_out(server: Spawned, database: Postgres) -> None:
    with asking(server.url) as load:
        until("it writes", server, "bertline_predictions_written_total", 500)
        before_mb = memory_mb(server)
        database.stop()
        until("the queue is full", server, "bertline_predictions_dropped_total", 1)
        at, answered = metric(server, "bertline_predictions_dropped_total"), len(load.answered)
        time.sleep(2)
        assert metric(server, "bertline_predictions_dropped_total") > at
        assert len(load.answered) > answered  # answers go on
        assert QUEUE - TEXTS < metric(server, "bertline_predictions_waiting") <= QUEUE
        assert memory_mb(server) < before_mb + 64
        database.start()
        written = metric(server, "bertline_predictions_written_total")
        until("it catches up", server, "bertline_predictions_written_total", written + QUEUE)
