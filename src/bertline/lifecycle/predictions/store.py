"""The store of predictions: a SQLite file, or PostgreSQL by its URL. Programs without a server open it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from bertline.errors import needing
from bertline.lifecycle.predictions.records import ModelRecord, PredictionRecord, PredictionStoreError

with needing("the store of predictions needs {}", "sqlalchemy", extra="serve"):
    import sqlalchemy as sql
    from sqlalchemy.dialects import postgresql, sqlite

    from bertline.database.database import Database
    from bertline.database.purpose import Purpose
    from bertline.lifecycle.predictions.schema import KEY, MIGRATIONS, MODELS, PREDICTIONS


PURPOSE = Purpose(
    what="the store of predictions",
    error=PredictionStoreError,
    file="/var/lib/bertline/predictions.db",
    absent="bertline serve --predictions-url makes one; check the URL",
    uncreatable="give another --predictions-url",
    lock=0x6265_7274_7072_6564,  # "bertpred"
    extra="serve",
    wait_s=10.0,
    wal=True,
    mode=0o600,
)


def open_store(url: str, *, create: bool = False) -> Database:
    """Open a store, and migrate its tables. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.
        create: whether a missing SQLite file is created, which only its owner can read.

    Raises:
        UsageError: the URL is invalid or of another database.
        PredictionStoreError: it cannot be used, or is of a newer bertline.
    """
    database = Database(url, PURPOSE, create=create)
    try:
        MIGRATIONS.prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def add(connection: sql.Connection, models: Sequence[ModelRecord], predictions: Sequence[PredictionRecord]) -> None:
    """Add records; those whose ids are there already change nothing, so that a batch may be repeated."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for table, records in ((MODELS, models), (PREDICTIONS, predictions)):
        if records:
            names = [one.name for one in fields(records[0])]  # asdict copies deeply, and takes 50 µs a record
            rows = [{name: getattr(one, name) for name in names} for one in records]
            connection.execute(insert(table).on_conflict_do_nothing(), rows)


def secret_of(store: Database) -> bytes:
    """The key of the store's hashes of texts.

    Raises:
        PredictionStoreError: it cannot be read.
    """
    with store.reading() as connection:
        return bytes.fromhex(str(connection.scalar(sql.select(KEY.c.key))))
