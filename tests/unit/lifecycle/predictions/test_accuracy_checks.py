from __future__ import annotations

from pathlib import Path

import sqlalchemy as sql

from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check, latest_accuracy_checks
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.retention import DAY_MS, Purge
from bertline.lifecycle.predictions.schema import ACCURACY_CHECKS, MIGRATIONS
from tests.kept import NEW, store_in

NOW = now_ms()


def check(model: str, ago_days: int, *, dropped: bool = False) -> AccuracyCheck:
    at_ms = NOW - ago_days * DAY_MS
    return AccuracyCheck(model, NEW, at_ms, 640, 0.84, 0.92, dropped, at_ms - 1 if dropped else None)


def test_the_latest_of_each_model_is_shown_and_old_ones_go(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        assert latest_accuracy_checks(store) == []
        checks = [check("reviews", 100), check("reviews", 1, dropped=True), check("other", 3)]
        for one in reversed(checks):
            add_accuracy_check(store, one)
        assert latest_accuracy_checks(store) == [checks[2], checks[1]]
        assert latest_accuracy_checks(store, "reviews") == [checks[1]]
        Purge(store, retention_days=90, text_days=30).some()
        with store.reading() as connection:
            assert connection.scalar(sql.select(sql.func.count()).select_from(ACCURACY_CHECKS)) == 2


def test_a_store_of_an_earlier_version_does_without_until_it_is_prepared(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        with store.changing() as connection:
            ACCURACY_CHECKS.drop(connection)
            connection.execute(sql.update(MIGRATIONS.table).values(version=5))
        add_accuracy_check(store, check("reviews", 1))
        Purge(store, retention_days=90, text_days=30).some()
        assert latest_accuracy_checks(store) == []
        MIGRATIONS.prepare(store)
        add_accuracy_check(store, check("reviews", 1))
        assert latest_accuracy_checks(store) == [check("reviews", 1)]
