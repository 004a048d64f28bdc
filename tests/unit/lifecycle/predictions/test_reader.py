from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions import reader as module
from bertline.lifecycle.predictions import writer as writing
from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.lifecycle.predictions.writer import PredictionWriter
from tests.unit.lifecycle.predictions.test_writer import made, rows, settings_in, until


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set once the count of feedback is under way, which lasts until the test ends."""
    counting, end = threading.Event(), threading.Event()

    def count(store: Database) -> dict[tuple[str, str], Any]:
        counting.set()
        end.wait(60)
        return {}

    monkeypatch.setattr(module, "counts_of_all", count)
    yield counting
    end.set()


def test_a_long_count_keeps_nothing_from_being_written(
    tmp_path: Path, held: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path)
    with caplog.at_level(logging.WARNING), PredictionWriter(settings) as writer:
        writer.offer(made("before", "one"))
        assert held.wait(30)
        writer.offer(made("after", "one"))
        until(lambda: writer.written == 2)
        writer.offer(made("last", "one"))
    assert (writer.waiting, caplog.messages) == (0, [])
    assert {one.request_id for one in rows(settings.url)} == {"before", "after", "last"}


def test_a_count_that_fails_is_said_once_and_the_store_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried, purged = [], threading.Event()

    def count(store: Database) -> dict[tuple[str, str], Any]:
        tried.append(time.monotonic())
        raise PredictionStoreError("the statement took too long")

    monkeypatch.setattr(module, "counts_of_all", count)
    monkeypatch.setattr(module, "COUNTS_EVERY_S", 0.01)
    monkeypatch.setattr(writing.Purge, "some", lambda _: bool(purged.set()))
    with caplog.at_level(logging.WARNING), PredictionWriter(settings_in(tmp_path)) as writer:
        writer.offer(made("a", "one"))
        until(lambda: len(tried) > 3 and writer.written == 1)
        assert purged.wait(30)
        assert not writer.failing
        began = writer.figures.read_s
        until(lambda: began["checks"] > began["counts"])  # whose time is still that of the start
    assert caplog.messages == ["the statement took too long; the metrics of feedback and drift are older figures."]


def test_what_takes_long_is_read_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[float] = []

    def count(store: Database) -> dict[tuple[str, str], Any]:
        began.append(time.monotonic())
        time.sleep(0.02)
        return {}

    monkeypatch.setattr(module, "counts_of_all", count)
    monkeypatch.setattr(module, "COUNTS_EVERY_S", 0.0)
    with PredictionWriter(settings_in(tmp_path)):
        until(lambda: len(began) >= 3)
    assert min(later - earlier for earlier, later in pairwise(began)) > 0.02 / module.AT_MOST
