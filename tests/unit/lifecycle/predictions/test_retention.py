from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.errors import UsageError
from bertline.lifecycle.predictions import retention
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.retention import DAY_MS, Erased, Purge, erase
from bertline.lifecycle.predictions.schema import ACCURACY_CHECKS, DRIFT_CHECKS, FEEDBACK, PREDICTIONS
from tests.kept import keep, store_in, sure


def left(store: Database) -> list[tuple[str, bool]]:
    with store.reading() as connection:
        query = sql.select(PREDICTIONS.c.request_id, PREDICTIONS.c.texts.is_not(None)).order_by(PREDICTIONS.c.id)
        return [(name, bool(kept)) for name, kept in connection.execute(query)]


def said(store: Database) -> list[str]:
    with store.reading() as connection:
        return list(connection.scalars(sql.select(FEEDBACK.c.request_id).order_by(FEEDBACK.c.request_id)))


def test_old_predictions_go_with_their_feedback_and_old_texts_before_them(store: Database) -> None:
    now = now_ms()
    for name, days in (("old", 91), ("middle", 31), ("new", 1)):
        keep(store, [sure("good")], request=name, texts=["a film"], at_ms=now - days * DAY_MS)
    receive(store, [Feedback(f"{name}0", "good") for name in ("old", "middle", "new", "unknown")])
    assert not Purge(store, retention_days=90, text_days=30).some()
    assert left(store) == [("middle0", False), ("new0", True)]
    assert said(store) == ["middle0", "new0", "unknown0"]
    assert not Purge(store, retention_days=900, text_days=300).some(now + 8 * DAY_MS)
    assert said(store) == ["middle0", "new0"]  # nothing came of the unknown request in 7 days


def test_it_takes_a_part_at_a_time(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    now = now_ms()
    for name, days, number in (("old", 91, 3), ("middle", 31, 5), ("new", 1, 1)):
        answers, texts = [sure("good")] * number, ["a film"] * number
        keep(store, answers, request=name, texts=texts, at_ms=now - days * DAY_MS)
    purge = Purge(store, retention_days=90, text_days=30)
    sizes = []
    more = True
    while more:
        more = purge.some(now)
        sizes.append((len(left(store)), sum(kept for _, kept in left(store))))
    assert sizes == [(7, 7), (6, 4), (6, 2), (6, 1)]
    assert left(store)[-1] == ("new0", True)
    assert purge.some(now + 30 * DAY_MS) is False  # it goes on behind the last one it looked at
    assert [kept for _, kept in left(store)] == [False] * 6


def test_the_last_check_of_each_model_stays_so_that_it_shows_that_checks_have_stopped(store: Database) -> None:
    now = now_ms()
    for model, days in (("reviews", 95), ("reviews", 92), ("topics", 99), ("topics", 1)):
        at_ms = now - days * DAY_MS
        add_check(store, DriftCheck(model, at_ms, 500, "none", {}, None, 0.05))
        add_accuracy_check(store, AccuracyCheck(model, "f" * 64, at_ms, 900, 0.9, 0.9, dropped=False, since_ms=None))
    assert not Purge(store, retention_days=90, text_days=30).some(now)
    left_s = [("reviews", now - 92 * DAY_MS), ("topics", now - DAY_MS)]
    for table in (DRIFT_CHECKS, ACCURACY_CHECKS):
        with store.reading() as connection:
            query = sql.select(table.c.model, table.c.at_ms).order_by(table.c.model)
            assert [tuple(one) for one in connection.execute(query)] == left_s


def test_everything_of_a_client_is_erased(store: Database) -> None:
    keep(store, [sure("good")] * 3, client="ana")
    keep(store, [sure("good")], request="ben", client="ben")
    receive(store, [Feedback("r0", "good"), Feedback("ben0", "good"), Feedback("nobody", "good")], client="ana")
    assert erase(store, client="ana") == Erased(predictions=3, feedback=2)
    assert left(store) == [("ben0", False)]
    with store.reading() as connection:
        assert connection.execute(sql.select(FEEDBACK.c.request_id, FEEDBACK.c.client)).all() == [("ben0", None)]


def test_everything_of_a_request_is_erased(store: Database) -> None:
    keep(store, [sure("good")] * 2)
    receive(store, [Feedback("r0", "good"), Feedback("r1", "good")])
    assert erase(store, request_id="r1") == Erased(predictions=1, feedback=1)
    assert erase(store, request_id="r1") == Erased(predictions=0, feedback=0)
    assert (left(store), said(store)) == ([("r0", False)], ["r0"])


def test_an_erased_text_is_in_no_file(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * 50, texts=["a secret of somebody"] * 50)
        found = [one for one in tmp_path.iterdir() if b"a secret of somebody" in one.read_bytes()]
        assert found
        for n in range(50):
            erase(store, request_id=f"r{n}")
        assert not [one for one in tmp_path.iterdir() if b"a secret of somebody" in one.read_bytes()]


def test_what_is_to_be_erased_is_named(tmp_path: Path) -> None:
    with store_in(tmp_path) as store, pytest.raises(UsageError, match="give either --client or --request-id"):
        erase(store)
