from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.errors import RegistryError, UsageError
from bertline.registry.database import Database


@pytest.mark.parametrize(
    "url", ["models.db", "postgresql://a:secret@host:port/name", "sqlite://", "sqlite:///:memory:"]
)
def test_a_url_of_no_file_and_no_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="write sqlite:////var/lib/bertline/models") as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_another_database_is_named() -> None:
    with pytest.raises(UsageError, match="the registry is neither SQLite nor PostgreSQL but mysql"):
        Database("mysql://a@host/name")


def test_a_missing_file_is_created_only_by_whoever_adds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'models.db'}"
    with pytest.raises(RegistryError, match=r"there is no registry at .*models\.db: bertline models add makes one"):
        Database(url)
    with Database(url, create=True) as database:
        assert database.place == str(tmp_path / "deep" / "models.db")
    (tmp_path / "file").touch()
    with pytest.raises(RegistryError, match=r"models\.db cannot be created: File exists; give --registry"):
        Database(f"sqlite:///{tmp_path / 'file' / 'models.db'}", create=True)


def test_a_file_of_something_else_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "models.db").write_text("no database, however long this text may be, it has no header of one " * 9)
    with (
        Database(f"sqlite:///{tmp_path / 'models.db'}") as database,
        pytest.raises(RegistryError, match="cannot be used: file is not a database; check the database"),
        database.reading() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM sqlite_master")


def test_a_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    with (
        Database(f"postgresql://ana:secret@/models?host={tmp_path}") as database,
        pytest.raises(RegistryError, match="the registry models at a local socket cannot be used") as caught,
        database.reading(),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_an_error_within_undoes_the_whole_change(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'models.db'}", create=True) as database:
        with database.changing() as connection:
            connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")
        with suppress(ZeroDivisionError), database.changing() as connection:
            connection.exec_driver_sql("INSERT INTO a VALUES (1)")
            raise ZeroDivisionError
        with database.reading() as connection:
            assert connection.scalar(sql.text("SELECT count(*) FROM a")) == 0


def test_a_read_sees_one_state(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'models.db'}", create=True) as database:
        with database.changing() as connection:
            connection.exec_driver_sql("PRAGMA user_version")
            connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")
        with database.reading() as reader:
            assert reader.scalar(sql.text("SELECT count(*) FROM a")) == 0
            assert reader.connection.in_transaction  # type: ignore[attr-defined]
