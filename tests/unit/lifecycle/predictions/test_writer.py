from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from bertline.errors import UsageError
from bertline.lifecycle.predictions import retention
from bertline.lifecycle.predictions import writer as module
from bertline.lifecycle.predictions.made import Made
from bertline.lifecycle.predictions.records import PredictionStoreError, now_ms
from bertline.lifecycle.predictions.schema import INDEXES, MODELS, PREDICTIONS
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.store import open_store
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.tasks.classify.answer import Prediction
from bertline.text import Piece, Reading
from tests.kept import NEW, SPEC, keep, sure
from tests.service.postgres import cluster, new_database
from tests.unit.lifecycle.predictions.test_schema import names, of_version_3


def settings_in(folder: Path, **more: Any) -> PredictionSettings:
    return PredictionSettings(url=f"sqlite:///{folder / 'predictions.db'}", **more)


def made(request: str, *texts: str, digest: str = NEW, **more: Any) -> Made:
    answers = [Prediction("good", {"bad": 0.25, "good": 0.75}, 3, 1) for _ in texts]
    readings = [Reading([Piece([2, 9, 3])], 3, 1, input=text) for text in texts]
    return Made(now_ms(), request, "ana", "reviews", digest, SPEC, readings, lambda: answers, **more)


def rows(url: str | None) -> list[Any]:
    assert url is not None
    with open_store(url) as store, store.reading() as connection:
        return list(connection.execute(sql.select(PREDICTIONS).order_by(PREDICTIONS.c.request_id, PREDICTIONS.c.item)))


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_what_was_offered_is_written_before_it_closes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with PredictionWriter(settings) as writer:
        assert all(writer.offer(made(f"r{n:03d}", "one", "two")) for n in range(300))
    assert (writer.waiting, writer.dropped, writer.written) == (0, 0, 600)
    found = rows(settings.url)
    assert [(one.request_id, one.item) for one in found] == [(f"r{n:03d}", k) for n in range(300) for k in (0, 1)]
    first = found[0]
    assert json.loads(first.answer) == {"label": "good", "probabilities": {"bad": 0.25, "good": 0.75}}
    assert (first.characters, first.read_tokens, first.cut_tokens, first.client, first.texts) == (3, 3, 1, "ana", None)
    assert first.text_hash == found[2].text_hash != found[1].text_hash
    with open_store(str(settings.url)) as store, store.reading() as connection:
        assert json.loads(str(connection.scalar(sql.select(MODELS.c.spec))))["labels"] == ["bad", "good"]


def test_texts_are_kept_on_request_only_and_redacted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, text=True)
    long = "a fine film " * 100 + "by ann@example.org"
    with PredictionWriter(settings) as writer:
        writer.offer(made("a", long, "plain\0 \ud800"))
    first, second = rows(settings.url)
    assert json.loads(first.texts) == ["a fine film " * 100 + "by [email]"]
    assert (first.redacted, second.redacted) == (True, False)
    assert json.loads(second.texts) == ["plain\0 \ud800"]


def test_embeddings_are_kept_where_there_are_any(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with PredictionWriter(settings) as writer:
        writer.offer(made("a", "one", "two", embeddings={1: [0.5, -1.0]}))
    first, second = rows(settings.url)
    assert (first.embedding, second.embedding) == (None, b"\x00\x00\x00\x3f\x00\x00\x80\xbf")


def test_a_full_queue_drops_and_counts_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = PredictionWriter(settings_in(tmp_path, queue=5))
    with caplog.at_level(logging.WARNING):
        assert [writer.offer(made(str(n), "one", "two")) for n in range(4)] == [True, True, False, False]
    assert (writer.waiting, writer.dropped) == (4, 4)
    assert [one.getMessage() for one in caplog.records] == [
        "2 predictions were not kept, because too many wait for their store"
    ]
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    assert not writer.offer(made("large", "x" * 4000))  # there is room for one more text, but not for its size
    assert writer.dropped == 5


def test_an_answer_that_cannot_be_kept_does_not_keep_out_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path)
    broken = made("b", "text of a person")

    def fails() -> list[Any]:
        raise ZeroDivisionError("text of a person")

    object.__setattr__(broken, "answers", fails)
    with caplog.at_level(logging.ERROR), PredictionWriter(settings) as writer:
        for one in (made("a", "one"), broken, made("c", "one")):
            writer.offer(one)
    assert [one.request_id for one in rows(settings.url)] == ["a", "c"]
    assert writer.dropped == 1
    assert caplog.messages == ["A prediction cannot be kept (ZeroDivisionError); further ones are only counted."]


def test_what_is_old_is_deleted_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes must not delete for minutes meanwhile."""
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    settings = settings_in(tmp_path)
    with open_store(str(settings.url), create=True) as store:
        keep(store, [sure("good")] * 9, request="old", at_ms=now_ms() - 91 * retention.DAY_MS)
    with PredictionWriter(settings) as writer:
        writer.offer(made("r", "one"))
        until(lambda: len(rows(settings.url)) < 9)
        assert [one.request_id for one in rows(settings.url)].count("r") == 1
        until(lambda: [one.request_id for one in rows(settings.url)] == ["r"])


def test_work_on_the_store_that_fails_keeps_its_old_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert goes by it: the store works again at once, so nothing else tells."""
    tried = threading.Event()

    def purge(_: retention.Purge) -> bool:
        tried.set()
        raise PredictionStoreError("the user may not delete")

    monkeypatch.setattr(retention.Purge, "some", purge)
    with PredictionWriter(settings_in(tmp_path)) as writer:
        before = writer.upkeep_s
        until(lambda: tried.is_set() and not writer.failing)
        writer.offer(made("a", "one"))
        until(lambda: writer.written == 1)
        until(lambda: all(writer.upkeep_s[work] > before[work] for work in ("feedback", "counts", "checks")))
        assert writer.upkeep_s["retention"] == before["retention"]


def test_a_url_that_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="the store of predictions has no valid URL: write sqlite"):
        PredictionWriter(PredictionSettings(url="predictions.db"))


def test_a_server_that_is_away_is_waited_for_within_bounds_and_caught_up_with(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.3)
    with cluster() as server, caplog.at_level(logging.WARNING):
        with PredictionWriter(PredictionSettings(url=server.url, queue=40)) as writer:
            writer.offer(made("a", "before"))
            until(lambda: writer.written == 1)
            server.stop()
            kept = [writer.offer(made(f"b{n:02d}", "while it is away")) for n in range(50)]
            until(lambda: writer.failing)
            assert kept == [True] * 40 + [False] * 10
            assert (writer.waiting, writer.dropped) == (40, 10)
            server.start()
            until(lambda: writer.written == 41 and not writer.failing)
        assert [one.request_id for one in rows(server.url)] == ["a", *(f"b{n:02d}" for n in range(40))]
    told = [one.getMessage() for one in caplog.records if one.name == module.__name__]  # the reader may warn as well
    away, back = (one for one in told if "too many" not in one)
    assert "the store of predictions postgres at" in away
    assert away.endswith("; up to 40 predictions wait, requests go on.")
    assert back.endswith("can be used again; 10 predictions were not kept.")


def test_indices_that_a_lock_keeps_it_from_are_added_later_and_the_log_says_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bertline")
    monkeypatch.setattr(module, "INDEX_EVERY_S", 0.01)
    url = new_database(postgres_url)
    with open_store(url) as store:
        of_version_3(store)
        writer = PredictionWriter(PredictionSettings(url=url))
        writer.store.purpose = replace(writer.store.purpose, wait_s=1.0)
        with store.engine.begin() as other:
            other.execute(sql.text("LOCK TABLE bertline_predictions IN ROW EXCLUSIVE MODE"))
            writer._opened()
            writer.offer(made("a", "one"))
            writer._write()  # goes on without
        assert not {str(index.name) for index in INDEXES} & names(store)
        time.sleep(0.02)
        writer._write()
        assert {str(index.name) for index in INDEXES} <= names(store)
        writer._write()
        writer.figures.close()
        writer.store.close()
    assert [one.request_id for one in rows(url)] == ["a"]
    without, later = caplog.messages
    assert without.startswith(
        "The store of predictions works without its newest indices and columns for now; they are tried again every"
    )
    assert "canceling statement due to lock timeout" in without
    assert later == "The store of predictions has its newest indices and columns now."


def test_its_time_runs_from_when_the_server_begins_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    writer = PredictionWriter(PredictionSettings(url=f"sqlite:///{tmp_path / 'predictions.db'}"))
    now_s = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(writer._thread, "join", waited.append)
        patch.setattr(module.time, "monotonic", lambda: now_s)
        writer.hurry()
        patch.setattr(module.time, "monotonic", lambda: now_s + 2)
        writer.close()
    assert waited == [pytest.approx(module.FLUSH_S - 2)]


def test_a_server_that_begins_to_end_does_not_wait_for_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 60.0)
    writer = PredictionWriter(settings_in(tmp_path))
    insert, away = writer._insert, True

    def perhaps(*rows: Any) -> None:
        if away:
            raise PredictionStoreError("away")
        insert(*rows)

    monkeypatch.setattr(writer, "_insert", perhaps)
    with writer:
        writer.offer(made("a", "one"))
        until(lambda: writer.failing)
        away = False
        writer.hurry()
        until(lambda: writer.written == 1)
        writer.offer(made("b", "two"))  # a request that was answered while the server ends
        until(lambda: writer.written == 2)


def test_a_store_that_never_comes_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.3)
    settings = PredictionSettings(url=f"postgresql://ana:secret@/none?host={tmp_path}")
    with caplog.at_level(logging.WARNING), PredictionWriter(settings) as writer:
        writer.offer(made("a", "one", "two"))
        until(lambda: writer.failing)
    assert caplog.messages[-1].startswith("2 predictions were not kept, because none at")
    assert "secret" not in caplog.text
