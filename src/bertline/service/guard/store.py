"""The database of clients, API keys and signing keys: a SQLite file, or PostgreSQL by its URL.

The only file here that knows SQLAlchemy. Every call is one short transaction that blocks: call it off the event loop.
Of API keys and client secrets it holds hashes; of signing keys it holds the private halves, so whoever reads the
database can sign tokens.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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
_LOCK = 0x6265_7274_6C69_6E65  # any number that no other program takes: "bertline"
_SCOPES = {one.value: one for one in Scope}

TABLES = sql.MetaData()
SCHEMA = sql.Table("bertline_auth_schema", sql.MetaData(), sql.Column("version", sql.Integer, primary_key=True))
CLIENTS = sql.Table(
    "bertline_auth_clients",
    TABLES,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("name", sql.String(64), nullable=False),
    sql.Column("scopes", sql.Text, nullable=False),  # with spaces between, as RFC 6749 section 3.3 writes them
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
# How an older database becomes a newer one: step n makes version n + 1 of version n. The first makes all of it.
STEPS: tuple[Callable[[sql.Connection], None], ...] = (TABLES.create_all,)


class AuthDatabaseError(BertlineError):
    """The database of keys cannot be reached, read or written."""


class CredentialStore:
    """One database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``. The file is made where there is none (mode 0600).

    Raises:
        UsageError: the URL is of no database that this can use.
        AuthDatabaseError: it cannot be reached, is open to everybody, or was made by a newer version.
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
        """All, the oldest first."""
        return [_client(row) for row in self._rows(sql.select(CLIENTS).order_by(CLIENTS.c.created_s, CLIENTS.c.id))]

    def client(self, id: str) -> ClientRecord | None:
        """The one of this id."""
        return next((_client(row) for row in self._rows(sql.select(CLIENTS).where(CLIENTS.c.id == id))), None)

    def add_client(self, client: ClientRecord) -> None:
        """Keep one; its id is new."""
        self._change(sql.insert(CLIENTS).values(_columns(client)))

    def remove_client(self, id: str) -> bool:
        """Forget one; False if there is none of this id."""
        return self._change(sql.delete(CLIENTS).where(CLIENTS.c.id == id)) == 1

    def api_keys(self) -> list[ApiKeyRecord]:
        """All, the oldest first, those that are revoked or have expired too."""
        return [_api_key(row) for row in self._rows(sql.select(API_KEYS).order_by(API_KEYS.c.created_s, API_KEYS.c.id))]

    def add_api_key(self, key: ApiKeyRecord) -> None:
        """Keep one; its id is new."""
        self._change(sql.insert(API_KEYS).values(_columns(key)))

    def revoke_api_key(self, id: str, now_s: int) -> bool:
        """Refuse it from now on; False if there is none of this id. The time of an earlier revocation stays."""
        revoked_s = sql.func.coalesce(API_KEYS.c.revoked_s, now_s)
        return self._change(sql.update(API_KEYS).where(API_KEYS.c.id == id).values(revoked_s=revoked_s)) == 1

    def api_key_used(self, id: str, day: date) -> None:
        """Note the day of its last use."""
        earlier = API_KEYS.c.last_used.is_(None) | (API_KEYS.c.last_used < day)
        self._change(sql.update(API_KEYS).where(API_KEYS.c.id == id, earlier).values(last_used=day))

    def signing_keys(self) -> list[SigningKeyRecord]:
        """All, by generation."""
        rows = self._rows(sql.select(SIGNING_KEYS).order_by(SIGNING_KEYS.c.generation))
        return [SigningKeyRecord(**row._mapping) for row in rows]

    def add_signing_key(self, key: SigningKeyRecord) -> bool:
        """Keep one; False if there is one of its generation: another process was first."""
        values = {name: getattr(key, name) for name in SigningKeyRecord.__dataclass_fields__}
        try:
            self._change(sql.insert(SIGNING_KEYS).values(values))
        except IntegrityError:
            return False
        return True

    def remove_signing_keys(self, generations: Iterable[int]) -> None:
        """Forget these."""
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
            # The first line alone: the next ones may quote values.
            reason = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0].rstrip(".")
            raise AuthDatabaseError(f"the database of keys, {self.place}, cannot be used: {reason}") from None

    def _prepare(self) -> None:
        """Make the tables, or bring them up to date; one process at a time."""
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
    """The database of someone who names none: ``auth.db`` in the data directory of this user.

    The directory is made where there is none (mode 0700): ``$XDG_DATA_HOME/bertline``, else ``~/.local/share/bertline``
    (https://specifications.freedesktop.org/basedir-spec/latest/).

    Raises:
        AuthDatabaseError: it cannot be made.
    """
    home = os.environ.get("XDG_DATA_HOME", "")
    directory = (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share") / "bertline"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AuthDatabaseError(
            f"{directory} cannot be made ({error.strerror}): name a database in BERTLINE_AUTH_DATABASE"
        ) from None
    return f"sqlite:///{directory / 'auth.db'}"


def _engine(url: str) -> tuple[sql.Engine, str]:
    """The way to the database, and what it is called where no password must be seen."""
    try:
        found = sql.make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise UsageError(
            "the database of keys has no valid URL: write sqlite:////var/lib/bertline/auth.db or postgresql://user@host/name"
        ) from None
    backend = found.get_backend_name()
    if backend == "sqlite":
        return _sqlite(found.database)
    if backend in ("postgresql", "postgres"):
        return _postgres(found)
    raise UsageError(
        f"the database of keys is neither SQLite nor PostgreSQL but {backend}: write sqlite:///… or postgresql://…"
    )


def _sqlite(name: str | None) -> tuple[sql.Engine, str]:
    if not name or name.startswith((":memory:", "file:")):
        raise UsageError("the database of keys is no file and would be lost: write sqlite:////var/lib/bertline/auth.db")
    path = Path(name).absolute()
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.stat().st_mode & 0o007:
            raise AuthDatabaseError(f"{path} has private keys and is open to everybody: chmod 600 {path}")
    except OSError as error:
        raise AuthDatabaseError(f"the database of keys, {path}, cannot be made: {error.strerror}") from None

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that was taken away is not replaced by an empty one that everybody may read.
        return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=WAIT_S, check_same_thread=False)

    # No pool: opening a file is cheap, and one that was restored from a backup is seen at once.
    return sql.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True), str(path)


def _postgres(url: sql.URL) -> tuple[sql.Engine, str]:
    # Its parts, because a password may also be among the parameters of the query.
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
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {**values, "scopes": " ".join(sorted(record.scopes))}


def _client(row: sql.Row[Any]) -> ClientRecord:
    return ClientRecord(**{**row._mapping, "scopes": _scopes(row.scopes)})


def _api_key(row: sql.Row[Any]) -> ApiKeyRecord:
    return ApiKeyRecord(**{**row._mapping, "scopes": _scopes(row.scopes)})


def _scopes(text: str) -> frozenset[Scope]:
    """Those that this version knows; one that another version gave means nothing here."""
    return frozenset(_SCOPES[one] for one in text.split() if one in _SCOPES)
