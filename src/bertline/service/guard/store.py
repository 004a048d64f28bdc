"""The database of clients, API keys and signing keys: a SQLite file, or PostgreSQL by its URL.

Every call is one short, blocking transaction: call it off the event loop. API keys and client secrets are stored as
hashes; signing keys are stored with their private halves, so whoever reads the database can sign tokens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.database.migrations import Migrations
from bertline.database.purpose import Purpose
from bertline.errors import BertlineError
from bertline.service.guard.client import Scope
from bertline.service.guard.records import ApiKeyRecord, ClientRecord, SigningKeyRecord


class AuthDatabaseError(BertlineError):
    """The database of keys cannot be reached, read or written."""


KEYS = Purpose(
    what="the database of keys",
    error=AuthDatabaseError,
    file="/var/lib/bertline/auth.db",
    absent="bertline auth key add makes one",
    uncreatable="name another in BERTLINE_AUTH_DATABASE",
    lock=0x6265_7274_6C69_6E65,  # "bertline"
    extra="serve",
    wait_s=5,
    mode=0o600,
)
_SCOPES = {one.value: one for one in Scope}

TABLES = sql.MetaData()
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
MIGRATIONS = Migrations.named("bertline_auth_schema", (TABLES.create_all,))


class CredentialStore(Database):
    """One database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``. A missing file is created (mode 0600).

    Raises:
        UsageError: the URL is invalid or of another database.
        AuthDatabaseError: the database cannot be reached, is world-readable, or has a newer version.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, KEYS, create=True)
        try:
            if self.is_sqlite and Path(self.place).stat().st_mode & 0o007:
                raise AuthDatabaseError(
                    f"{self.place} has private keys and is accessible to all users: chmod 600 {self.place}"
                )
            MIGRATIONS.prepare(self)
        except BaseException:
            self.close()
            raise

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
        same = sql.select(SIGNING_KEYS.c.generation).where(SIGNING_KEYS.c.generation == key.generation)
        with self.changing() as connection:  # beside which nobody adds one
            if connection.scalar(same) is not None:
                return False
            connection.execute(sql.insert(SIGNING_KEYS).values(asdict(key)))
        return True

    def remove_signing_keys(self, generations: Iterable[int]) -> None:
        """Remove the keys of these generations."""
        self._change(sql.delete(SIGNING_KEYS).where(SIGNING_KEYS.c.generation.in_(list(generations))))

    def _rows(self, query: sql.Select[Any]) -> list[sql.Row[Any]]:
        with self.reading() as connection:
            return list(connection.execute(query))

    def _change(self, statement: sql.Executable) -> int:
        with self.changing() as connection:
            return connection.execute(statement).rowcount


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


def _columns(record: ClientRecord | ApiKeyRecord) -> dict[str, Any]:
    return {**asdict(record), "scopes": " ".join(sorted(record.scopes))}


def _values(row: sql.Row[Any]) -> dict[str, Any]:
    """The fields of a record; scopes of other versions are ignored."""
    return {**row._mapping, "scopes": frozenset(_SCOPES[one] for one in row.scopes.split() if one in _SCOPES)}
