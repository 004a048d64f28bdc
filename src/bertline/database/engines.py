"""Engines of SQLAlchemy for the databases that are supported: a SQLite file, and PostgreSQL by its URL."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from bertline.database.purpose import Purpose
from bertline.errors import UsageError, needing


def parsed(url: str, purpose: Purpose) -> sql.URL:
    """The parts of a URL.

    Raises:
        UsageError: it is invalid or of another database. The message does not repeat it: it may contain a password.
    """
    try:
        parts = sql.make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is not a number
        raise UsageError(f"{purpose.what} has no valid URL: {purpose.forms}") from None
    backend = parts.get_backend_name()
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(f"{purpose.what} is neither SQLite nor PostgreSQL but {backend}: {purpose.forms}")
    return parts


def file_of(url: sql.URL, purpose: Purpose, *, create: bool) -> Path:
    """The file of a SQLite database.

    Raises:
        UsageError: it is not in a file.
        purpose.error: there is none and it is not to be created, or it cannot be.
    """
    name = url.database
    if not name or name.startswith((":memory:", "file:")):
        raise UsageError(f"{purpose.what} is not in a file: {purpose.forms}")
    path = Path(name).expanduser().absolute()
    if path.exists():
        return path
    if not create:
        raise purpose.error(f"there is no {bare(purpose.what)} at {path}: {purpose.absent}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was faster
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, purpose.mode))
    except OSError as error:
        raise purpose.error(
            f"{purpose.what} {path} cannot be created: {error.strerror}; {purpose.uncreatable}"
        ) from None
    return path


def bare(what: str) -> str:
    """Without its article."""
    return what.removeprefix("the ")


def place_of(url: sql.URL) -> str:
    """A name of a PostgreSQL database without its password, which may be among the URL's query parameters too."""
    return f"{url.database or url.username or 'PostgreSQL'} at {url.host or 'a local socket'}"


def with_driver(url: sql.URL) -> sql.URL:
    """The URL with psycopg as its driver."""
    return url.set(drivername="postgresql+psycopg")


def sqlite_engine(file: Path, purpose: Purpose) -> sql.Engine:
    """Without a pool: opening a file is cheap, and a restored backup is used at once."""

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that was deleted is not replaced by an empty one. Autocommit, because ``BEGIN`` is explicit.
        uri = f"file:{quote(str(file))}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=purpose.wait_s, check_same_thread=False, isolation_level=None
        )
        if purpose.wal:
            with suppress(sqlite3.OperationalError):  # another process holds a lock; it works without, too
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # whole after any crash; a power cut may lose the last
        return connection

    return sql.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def postgres_engine(url: sql.URL, purpose: Purpose) -> sql.Engine:
    """An engine of a URL from ``with_driver``.

    Raises:
        UsageError: the driver is not installed.
    """
    with needing("a PostgreSQL database needs its driver {}", "psycopg", extra="postgres"):
        return sql.create_engine(
            url,
            connect_args={
                "client_encoding": "utf8",  # a database in SQL_ASCII would answer with bytes instead of text
                "connect_timeout": max(2, round(purpose.wait_s)),  # libpq's minimum is 2
                "tcp_user_timeout": round(1000 * purpose.wait_s),
            },
            pool_pre_ping=True,
            pool_timeout=purpose.wait_s,
            hide_parameters=True,
        )
