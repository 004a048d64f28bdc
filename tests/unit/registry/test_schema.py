from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.schema import DEPLOYMENTS, MIGRATIONS
from tests.registered import new_registry


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(new_registry(tmp_path))


def test_our_tables_are_made_once_beside_those_of_mlflow(database: Database) -> None:
    with database.reading() as connection:
        assert MIGRATIONS.version(connection, database) == 0
    MIGRATIONS.prepare(database)
    MIGRATIONS.prepare(database)
    with database.reading() as connection:
        assert MIGRATIONS.version(connection, database) == len(MIGRATIONS.steps)


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    MIGRATIONS.prepare(database)
    with database.changing() as connection:
        connection.execute(sql.update(MIGRATIONS.table).values(version=99))
    with pytest.raises(RegistryError, match="has version 99 and this bertline knows version 3: install the bertline"):
        MIGRATIONS.prepare(database)


@pytest.mark.parametrize(
    "change", [sql.delete(DEPLOYMENTS), sql.update(DEPLOYMENTS).values(by="nobody")], ids=["delete", "update"]
)
def test_the_database_itself_refuses_to_change_the_log(database: Database, change: sql.Executable) -> None:
    Deployments(database, "ana").promote(Reference("reviews", version=1), reason="first")
    with (
        pytest.raises(RegistryError, match="the log of deployments is append-only"),
        database.changing() as connection,
    ):
        connection.execute(change)
    assert len(Deployments(database, "ana").entries()) == 1
