"""The database of clients, API keys and signing keys: a SQLite file, or PostgreSQL by its URL.

Every call is one short, blocking transaction: call it off the event loop. API keys and client secrets are stored as
hashes; signing keys are stored with their private halves, so whoever reads the database can sign tokens.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from bertline.errors import BertlineError, UsageError
from bertline.service.guard.client import Scope
from bertline.service.guard.records import ApiKeyRecord, ClientRecord, SigningKeyRecord

WAIT_S = 5  # for a connection or a lock
_LOCK = 0x6265_7274_6C69_6E65  # a number that no other program uses: "bertline"
_SCOPES = {one.value: one for one in Scope}

TABLES = sql.MetaData()
SCHEMA = sql.Table("bertline_auth_schema", sql.MetaData(), sql.Column("version", sql.Integer, primary_key=True))
CLIENTS = sql.Table(
    "bertline_auth_clients",
    TABLES,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("name", sql.String(64), nullable=False),
    sql.Column("scopes", sql.Text, nullable=False),  # separated by spaces (RFC 6749 section 3.3)
    sql.Column("secret_hash", sql.String(64), nullable=False),
    sql.Column("created_s", sql.BigInteger, nullable=False),
)
API_KEYS = sql.Table(
    "bertline_auth_api_keys",
    TABLES,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("name", sql.String(64), nullable=False),
    sql.Column("scopes", sql.Text, nullable=False),
    sql.Column("hash", sql.String(64), nullable=False),
    sql.Column("created_s", sql.BigInteger, nullable=False),
    sql.Column("expires_s", sql.BigInteger),
    sql.Column("last_used", sql.Date),
    sql.Column("revoked_s", sql.BigInteger),
)
SIGNING_KEYS = sql.Table(
    "bertline_auth_signing_keys",
    TABLES,
    sql.Column("generation", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("kid", sql.String(64), nullable=False, unique=True),
    sql.Column("private_pem", sql.Text, nullable=False),
    sql.Column("created_s", sql.BigInteger, nullable=False),
    sql.Column("signs_from_s", sql.BigInteger, nullable=False),
)
# Migrations: step n turns version n into version n + 1. The first creates the tables.
STEPS: tuple[Callable[[sql.Connection], None], ...] = (TABLES.create_all,)


class AuthDatabaseError(BertlineError):
    """The database of keys cannot be reached, read or written."""


class CredentialStore:
    """One database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``. A missing file is created (mode 0600).

    Raises:
        UsageError: the URL is invalid or of another database.
        AuthDatabaseError: the database cannot be reached, is world-readable, or has a newer version.
    """

    def __init__(self, url: str) -> None:
        self._engine, self.place = _engine(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def clients(self) -> list[ClientRecord]:
        """All clients, oldest first."""
        rows = self._rows(sql.select(CLIENTS).order_by(CLIENTS.c.created_s, CLIENTS.c.id))
        return [ClientRecord(**_values(row)) for row in rows]

    def client(self, id: str) -> ClientRecord | None:
        """One client, or None."""
        rows = self._rows(sql.select(CLIENTS).where(CLIENTS.c.id == id))
        return ClientRecord(**_values(rows[0])) if rows else None

    def add_client(self, client: ClientRecord) -> None:
        """Add a client with a new id."""
        self._change(sql.insert(CLIENTS).values(_columns(client)))

    def remove_client(self, id: str) -> bool:
        """Remove a client; False if there is none of this id."""
        return self._change(sql.delete(CLIENTS).where(CLIENTS.c.id == id)) == 1

    def api_keys(self) -> list[ApiKeyRecord]:
        """All keys, oldest first, including revoked and expired ones."""
        rows = self._rows(sql.select(API_KEYS).order_by(API_KEYS.c.created_s, API_KEYS.c.id))
        return [ApiKeyRecord(**_values(row)) for row in rows]

    def add_api_key(self, key: ApiKeyRecord) -> None:
        """Add a key with a new id."""
        self._change(sql.insert(API_KEYS).values(_columns(key)))

    def revoke_api_key(self, id: str, now_s: int) -> bool:
        """Revoke a key; False if there is none of this id. The time of an earlier revocation stays."""
        revoked_s = sql.func.coalesce(API_KEYS.c.revoked_s, now_s)
        return self._change(sql.update(API_KEYS).where(API_KEYS.c.id == id).values(revoked_s=revoked_s)) == 1

    def api_key_used(self, id: str, day: date) -> None:
        """Record the day of a key's last use."""
        is_later = API_KEYS.c.last_used.is_(None) | (API_KEYS.c.last_used < day)
        self._change(sql.update(API_KEYS).where(API_KEYS.c.id == id, is_later).values(last_used=day))

    def signing_keys(self) -> list[SigningKeyRecord]:
        """All keys, by generation."""
        rows = self._rows(sql.select(SIGNING_KEYS).order_by(SIGNING_KEYS.c.generation))
        return [SigningKeyRecord(**row._mapping) for row in rows]

    def add_signing_key(self, key: SigningKeyRecord) -> bool:
        """Add a key; False if another process has already added this generation."""
        try:
            self._change(sql.insert(SIGNING_KEYS).values(asdict(key)))
        except IntegrityError:
            return False
        return True

    def remove_signing_keys(self, generations: Iterable[int]) -> None:
        """Remove the keys of these generations."""
        self._change(sql.delete(SIGNING_KEYS).where(SIGNING_KEYS.c.generation.in_(list(generations))))

    def _rows(self, query: sql.Select[Any]) -> list[sql.Row[Any]]:
        with self._transaction() as connection:
            return list(connection.execute(query))

    def _change(self, statement: sql.Executable) -> int:
        with self._transaction() as connection:
            return connection.execute(statement).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            # Only the first line: the others may quote values.
            reason = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0].rstrip(".")
            raise AuthDatabaseError(f"the database of keys, {self.place}, cannot be used: {reason}") from None

    def _prepare(self) -> None:
        """Create or migrate the tables, one process at a time."""
        with self._transaction() as connection:
            if self._version(connection) == len(STEPS):
                return
        with self._transaction() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
            SCHEMA.create(connection, checkfirst=True)
            version = self._version(connection)
            for step in STEPS[version:]:
                step(connection)
            connection.execute(sql.delete(SCHEMA))
            connection.execute(sql.insert(SCHEMA).values(version=len(STEPS)))

    def _version(self, connection: sql.Connection) -> int:
        if not sql.inspect(connection).has_table(SCHEMA.name):
            return 0
        version = int(connection.scalar(sql.select(SCHEMA.c.version)) or 0)
        if version > len(STEPS):
            raise AuthDatabaseError(
                f"the database of keys, {self.place}, has version {version} and this bertline knows version "
                f"{len(STEPS)}: install the bertline that wrote it, or a newer one"
            )
        return version


def default_url() -> str:
    """The default database: ``auth.db`` in ``$XDG_DATA_HOME/bertline``, else in ``~/.local/share/bertline``.

    A missing directory is created with mode 0700 (https://specifications.freedesktop.org/basedir-spec/latest/).

    Raises:
        AuthDatabaseError: it cannot be created.
    """
    home = os.environ.get("XDG_DATA_HOME", "")
    directory = (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share") / "bertline"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AuthDatabaseError(
            f"{directory} cannot be created ({error.strerror}): name a database in BERTLINE_AUTH_DATABASE"
        ) from None
    return f"sqlite:///{directory / 'auth.db'}"


def _engine(url: str) -> tuple[sql.Engine, str]:
    """The engine, and a name of the database without its password."""
    try:
        parsed = sql.make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is not a number
        raise UsageError(
            "the database of keys has no valid URL: write sqlite:////var/lib/bertline/auth.db or postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed.database)
    if backend in ("postgresql", "postgres"):
        return _postgres(parsed)
    raise UsageError(
        f"the database of keys is neither SQLite nor PostgreSQL but {backend}: write sqlite:///… or postgresql://…"
    )


def _sqlite(name: str | None) -> tuple[sql.Engine, str]:
    if not name or name.startswith((":memory:", "file:")):
        raise UsageError("the database of keys is not in a file: write sqlite:////var/lib/bertline/auth.db")
    path = Path(name).absolute()
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.stat().st_mode & 0o007:
            raise AuthDatabaseError(f"{path} has private keys and is accessible to all users: chmod 600 {path}")
    except OSError as error:
        raise AuthDatabaseError(f"the database of keys, {path}, cannot be created: {error.strerror}") from None

    def connect() -> sqlite3.Connection:
        # mode=rw: a deleted file is not replaced by an empty, world-readable one.
        return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=WAIT_S, check_same_thread=False)

    # No pool: opening a file is cheap, and a restored backup is used at once.
    return sql.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True), str(path)


def _postgres(url: sql.URL) -> tuple[sql.Engine, str]:
    # Built from parts, because the query parameters may contain a password.
    place = f"{url.database or url.username or 'PostgreSQL'} at {url.host or 'a local socket'}"
    try:
        engine = sql.create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": WAIT_S, "tcp_user_timeout": 1000 * WAIT_S},
            pool_pre_ping=True,
            pool_timeout=WAIT_S,
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise UsageError("a PostgreSQL database needs its driver: pip install 'psycopg[binary]'") from None
    return engine, place


def _columns(record: ClientRecord | ApiKeyRecord) -> dict[str, Any]:
    return {**asdict(record), "scopes": " ".join(sorted(record.scopes))}


def _values(row: sql.Row[Any]) -> dict[str, Any]:
    """The fields of a record; scopes of other versions are ignored."""
    return {**row._mapping, "scopes": frozenset(_SCOPES[one] for one in row.scopes.split() if one in _SCOPES)}
