"""One database and its transactions. Every call is one short, blocking transaction."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from bertline.database.engines import file_of, parsed, place_of, postgres_engine, sqlite_engine, with_driver
from bertline.database.purpose import Purpose


class Database:
    """One database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.
        purpose: what it is for.
        create: whether a missing SQLite file is created.

    Raises:
        UsageError: the URL is invalid or of another database.
        purpose.error: there is no such file, or it cannot be created.
    """

    def __init__(self, url: str, purpose: Purpose, *, create: bool = False) -> None:
        given = parsed(url, purpose)
        self.purpose = purpose
        self.is_sqlite = given.get_backend_name() == "sqlite"
        self._file = file_of(given, purpose, create=create) if self.is_sqlite else None
        self.place = str(self._file) if self._file else place_of(given)
        self.url = sql.URL.create("sqlite", database=str(self._file)) if self._file else with_driver(given)
        self.engine = sqlite_engine(self._file, purpose) if self._file else postgres_engine(self.url, purpose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sql.Connection]:
        """Within: a transaction that sees one state.

        Raises:
            purpose.error: the database cannot be used.
        """
        with self._errors(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                yield connection

    @contextmanager
    def changing(self) -> Iterator[sql.Connection]:
        """Within: a transaction that no other one of this program runs beside; all of it is kept, or nothing.

        Raises:
            purpose.error: the database cannot be used, or others do not let go of it.
        """
        with self._errors(), self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{self.purpose.wait_s:.0f}s'")
                connection.execute(sql.select(sql.func.pg_advisory_xact_lock(self.purpose.lock)))
            yield connection

    @contextmanager
    def adding(self) -> Iterator[sql.Connection]:
        """Within: a transaction that only adds rows; in PostgreSQL, others run beside it.

        Raises:
            purpose.error: the database cannot be used.
        """
        with self._errors(), self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within: no other process is in such a block, whatever transactions it makes; the system ends a dead one's.

        MLflow makes transactions of its own, which ``changing`` would lock out.

        Raises:
            purpose.error: the database cannot be used.
        """
        if self._file is not None:
            with self._locked(self._file.with_name(f"{self._file.name}.lock")):
                yield
            return
        number = self.purpose.lock + 1
        with self._errors(), self.engine.connect() as connection:
            connection.execute(sql.select(sql.func.pg_advisory_lock(number)))
            connection.commit()  # the lock belongs to the session
            try:
                yield
            finally:
                connection.execute(sql.select(sql.func.pg_advisory_unlock(number)))
                connection.commit()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self.purpose.error(
                f"{self.purpose.what} {self.place} cannot be used: {reason_of(error)}; check the database, then try "
                "again"
            ) from None

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            remedy = self.purpose.uncreatable
            raise self.purpose.error(f"{path} cannot be written: {error.strerror}; {remedy}") from None
        try:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def reason_of(error: SQLAlchemyError) -> str:
    """The driver's own words, of which only the first line: the others may quote values."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0].rstrip(".")
