from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.database.purpose import Purpose
from bertline.errors import StoreError, UsageError

PURPOSE = Purpose(
    what="the ledger", error=StoreError, file="/var/lib/ledger.db", absent="make one", uncreatable="choose another",
    lock=7, extra="serve", wait_s=0.1, wal=True, mode=0o600,
)  # fmt: skip


@pytest.mark.parametrize("url", ["a.db", "postgresql://a:secret@host:port/name", "sqlite://", "sqlite:///:memory:"])
def test_a_url_of_no_file_and_no_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(
        UsageError, match=r"the ledger .*: write sqlite:////var/lib/ledger.db or postgresql://"
    ) as caught:
        Database(url, PURPOSE)
    assert "secret" not in str(caught.value)


def test_a_file_is_created_for_its_owner_alone_and_only_where_that_is_wanted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'a.db'}"
    with pytest.raises(StoreError, match=r"there is no ledger at .*a\.db: make one"):
        Database(url, PURPOSE)
    Database(url, PURPOSE, create=True).close()
    assert (tmp_path / "new" / "a.db").stat().st_mode & 0o777 == 0o600


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database:
        with database.changing() as connection:
            connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")
        with database.changing() as writer, database.reading() as reader:
            writer.exec_driver_sql("INSERT INTO a VALUES (1)")
            assert reader.scalar(sql.text("SELECT count(*) FROM a")) == 0


def test_a_second_writer_waits_and_then_says_why_it_cannot(tmp_path: Path) -> None:
    with (
        Database(f"sqlite:///{tmp_path / 'a.db'}", PURPOSE, create=True) as database,
        database.changing(),
        pytest.raises(StoreError, match=r"the ledger .*a\.db cannot be used: database is locked; check the database"),
        database.changing(),
    ):
        pass
