"""The registry's database: a SQLite file, or PostgreSQL by its URL. Every call is one short, blocking transaction."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from bertline.errors import RegistryError, UsageError, needing

with needing("the registry of models needs {}", "sqlalchemy", extra="registry"):
    import sqlalchemy as sql
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

WAIT_S = 20  # for a connection or a lock
_LOCK = 0x6265_7274_6D6F_6473  # a number that no other program uses: "bertmods"
_SESSION_LOCK = _LOCK + 1
_FORMS = "write sqlite:////var/lib/bertline/models.db or postgresql://user@host/name"


class Database:
    """One database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.
        create: whether a missing SQLite file is created.

    Raises:
        UsageError: the URL is invalid or of another database.
        RegistryError: there is no such file, or it cannot be created.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._file = _file(parsed, create=create) if self.is_sqlite else None
        self.place = str(self._file) if self._file else _name(parsed)
        self.url = _with_driver(parsed, self._file)
        self.engine = _sqlite(self._file) if self._file else _postgres(self.url)

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
            RegistryError: the database cannot be used.
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
            RegistryError: the database cannot be used, or others do not let go of it.
        """
        with self._errors(), self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_S}s'")
                connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within: no other process is in such a block, whatever transactions it makes; the system ends a dead one's.

        MLflow makes transactions of its own, which ``changing`` would lock out.

        Raises:
            RegistryError: the database cannot be used.
        """
        if self._file is not None:
            with _locked(self._file.with_name(f"{self._file.name}.lock")):
                yield
            return
        with self._errors(), self.engine.connect() as connection:
            connection.execute(sql.select(sql.func.pg_advisory_lock(_SESSION_LOCK)))
            connection.commit()  # the lock belongs to the session
            try:
                yield
            finally:
                connection.execute(sql.select(sql.func.pg_advisory_unlock(_SESSION_LOCK)))
                connection.commit()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # Only the first line: the others may quote values.
            reason = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0].rstrip(".")
            raise RegistryError(
                f"the registry {self.place} cannot be used: {reason}; check the database, then run the command again"
            ) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error.strerror}; choose another --registry") from None
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parsed(url: str) -> sql.URL:
    try:
        parsed = sql.make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is not a number
        raise UsageError(f"the registry has no valid URL: {_FORMS}") from None  # not repeated: it may have a password
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(f"the registry is neither SQLite nor PostgreSQL but {backend}: {_FORMS}")
    return parsed


def _file(url: sql.URL, *, create: bool) -> Path:
    name = url.database
    if not name or name.startswith((":memory:", "file:")):
        raise UsageError(f"the registry is not in a file: {_FORMS}")
    path = Path(name).expanduser().absolute()
    if not path.exists():
        if not create:
            raise RegistryError(f"there is no registry at {path}: bertline models add makes one, or give --registry")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise RegistryError(f"the registry {path} cannot be created: {error.strerror}; give --registry") from None
    return path


def _name(url: sql.URL) -> str:
    """Without its password."""
    return f"{url.database or url.username or 'PostgreSQL'} at {url.host or 'a local socket'}"


def _with_driver(url: sql.URL, file: Path | None) -> sql.URL:
    if file is not None:
        return sql.URL.create("sqlite", database=str(file))
    return url.set(drivername="postgresql+psycopg")


def _sqlite(file: Path) -> sql.Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a file that was deleted is not replaced by an empty one. Autocommit, because ``BEGIN`` is explicit.
        uri = f"file:{quote(str(file))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=WAIT_S, check_same_thread=False, isolation_level=None)

    # No pool: opening a file is cheap, and a restored backup is used at once.
    return sql.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _postgres(url: sql.URL) -> sql.Engine:
    with needing("a PostgreSQL registry needs its driver {}", "psycopg", extra="postgres"):
        return sql.create_engine(
            url,
            connect_args={"connect_timeout": WAIT_S, "tcp_user_timeout": 1000 * WAIT_S},
            pool_pre_ping=True,
            pool_timeout=WAIT_S,
            hide_parameters=True,
        )
