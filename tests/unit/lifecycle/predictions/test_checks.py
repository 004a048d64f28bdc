from __future__ import annotations

from pathlib import Path

import sqlalchemy as sql

from bertline.lifecycle.predictions.checks import DriftCheck, add_check, latest_checks
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.retention import DAY_MS, Purge
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS
from tests.kept import store_in

NOW = now_ms()


def check(model: str, ago_days: int, kind: str = "none") -> DriftCheck:
    return DriftCheck(model, NOW - ago_days * DAY_MS, 500, kind, {"answers": 0.4, "embeddings": 1.0}, 0.91, 0.05)


def test_the_latest_of_each_model_is_shown_and_old_ones_go(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        assert latest_checks(store) == []
        checks = [check("reviews", 100), check("reviews", 1, "texts"), check("other", 3)]
        for one in reversed(checks):
            add_check(store, one)
        assert latest_checks(store) == [checks[2], checks[1]]
        Purge(store, retention_days=90, text_days=30).some()
        with store.reading() as connection:
            assert connection.scalar(sql.select(sql.func.count()).select_from(DRIFT_CHECKS)) == 2
