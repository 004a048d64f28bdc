from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.database.migrations import Migrations
from bertline.errors import StoreError
from tests.unit.database.test_database import PURPOSE


def _first(connection: sql.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")


def _second(connection: sql.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE a ADD COLUMN c INTEGER")


OLD, NEW = Migrations.named("versions", (_first,)), Migrations.named("versions", (_first, _second))


def test_steps_are_taken_once_and_rows_are_kept(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        OLD.prepare(database)
        with database.changing() as connection:
            connection.exec_driver_sql("INSERT INTO a VALUES (1)")
        assert NEW.prepare(database) is None
        assert NEW.prepare(database) is None
        with database.reading() as connection:
            assert connection.execute(sql.text("SELECT b, c FROM a")).all() == [(1, None)]
            assert NEW.version(connection, database) == 2


def only_read(database: Database) -> None:
    sql.event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))


@pytest.mark.parametrize(("enough", "usable"), [(1, True), (2, False)])
def test_a_step_that_only_makes_tables_faster_may_be_missing(tmp_path: Path, enough: int, usable: bool) -> None:
    migrations = Migrations.named("versions", (_first, _second), enough)
    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        OLD.prepare(database)
        only_read(database)
        with nullcontext() if usable else pytest.raises(StoreError, match="attempt to write a readonly database"):
            assert "attempt to write a readonly database" in str(migrations.prepare(database))
        with database.reading() as connection:
            assert migrations.version(connection, database) == 1


def test_missing_tables_are_an_error_to_whoever_can_only_read(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        only_read(database)
        with pytest.raises(StoreError, match="attempt to write a readonly database"):
            Migrations.named("versions", (_first, _second), 1).prepare(database)


def test_tables_of_a_newer_bertline_are_left_alone(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        NEW.prepare(database)
        with pytest.raises(StoreError, match=r"the ledger .* has version 2 and this bertline knows version 1: install"):
            OLD.prepare(database)


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(connection: sql.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (b INTEGER)")
        connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")

    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        OLD.prepare(database)
        with pytest.raises(StoreError, match="table a already exists"):
            Migrations.named("versions", (_first, broken)).prepare(database)
        with database.reading() as connection:
            assert sql.inspect(connection).get_table_names() == ["a", "versions"]
