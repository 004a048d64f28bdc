from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.errors import UsageError
from bertline.lifecycle.predictions.records import PredictionStoreError, new_id, text_hash
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS, LEASES, MIGRATIONS, MODELS, PREDICTIONS
from bertline.lifecycle.predictions.store import add, open_store, secret_of
from tests.kept import keep, store_in, sure


def test_a_batch_that_is_written_twice_is_there_once(store: Database) -> None:
    records = keep(store, [sure("good"), sure("bad")])
    with store.changing() as connection:
        add(connection, [], records)
        assert connection.scalar(sql.select(sql.func.count()).select_from(PREDICTIONS)) == 2
        assert connection.scalar(sql.select(sql.func.count()).select_from(MODELS)) == 1


def test_a_store_is_opened_again_with_the_same_key(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        key = secret_of(store)
    with open_store(f"sqlite:///{tmp_path / 'predictions.db'}") as store:
        assert secret_of(store) == key
    assert (tmp_path / "predictions.db").stat().st_mode & 0o077 == 0


def test_equal_texts_have_equal_hashes_in_one_store_only() -> None:
    one, other = b"1" * 16, b"2" * 16
    assert text_hash(["a text"], one) == text_hash(["a text"], one) != text_hash(["a text"], other)
    assert text_hash(["\ud800"], one)


def test_ids_are_in_the_order_of_time() -> None:
    ids = [new_id(at_ms) for at_ms in (1, 2, 1_000, 1_800_000_000_000)]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {32}


def test_a_store_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PredictionStoreError, match=r"there is no store of predictions at .*: bertline serve --pred"):
        open_store(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(UsageError, match="the store of predictions is neither SQLite nor PostgreSQL but mysql"):
        open_store("mysql://a@b/c")


def test_a_store_of_a_newer_bertline_is_left_alone(store: Database) -> None:
    with store.changing() as connection:
        connection.execute(sql.update(MIGRATIONS.table).values(version=99))
    with pytest.raises(PredictionStoreError, match=f"99 and this bertline knows version {len(MIGRATIONS.steps)}:"):
        MIGRATIONS.prepare(store)


def test_a_store_of_the_first_version_is_migrated_with_its_rows(store: Database) -> None:
    records = keep(store, [sure("good")])
    with store.changing() as connection:
        for later in (DRIFT_CHECKS, LEASES):
            later.drop(connection)
        connection.execute(sql.update(MIGRATIONS.table).values(version=1))
    MIGRATIONS.prepare(store)
    with store.reading() as connection:
        assert connection.scalar(sql.select(PREDICTIONS.c.id)) == records[0].id
        assert all(connection.execute(sql.select(later)).all() == [] for later in (DRIFT_CHECKS, LEASES))
