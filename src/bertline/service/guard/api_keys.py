"""API keys, verified without a database query per request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bertline.service.guard import credentials
from bertline.service.guard.cached_table import CachedTable
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.records import ApiKeyRecord
from bertline.service.guard.store import AuthDatabaseError, CredentialStore
from bertline.serving.problems import Code, Problem

REFRESH_S = 5.0  # after which every process knows of a revocation
DAY_S = 86_400
log = logging.getLogger(__name__)


class ApiKeys:
    """The keys of a database (a ``Verifier``).

    All hashes are cached in memory. They are read again every ``refresh_s`` and, at most once a second, for an unknown
    key; so a revocation takes effect within ``refresh_s``, and a new key works at once. During an outage of the
    database the cached keys stay valid for an hour.

    Args:
        store: the database.
        refresh_s: how long a revoked key may still be accepted.
        clock: monotonic seconds.
        now: seconds since 1970, for expiry.
    """

    def __init__(
        self,
        store: CredentialStore,
        *,
        refresh_s: float = REFRESH_S,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._now = store, now
        self._table = CachedTable(self._read, "API keys", refresh_s=refresh_s, clock=clock)
        self._last_used: dict[str, int] = {}  # the day that was last written
        self._writes: set[asyncio.Task[None]] = set()  # the event loop has weak references only

    async def client(self, key: str) -> Client:
        """The owner of a key. The client's id is the key's public prefix, ``bl_3fK9x2Qa``.

        Raises:
            Problem: the key is invalid (401), or the keys cannot be read (503).
        """
        id = credentials.id_of(key, credentials.API_KEY)
        if id is None:
            raise _invalid("The API key is mistyped or cut short: copy it again.")
        table = await self._table.get()
        if id not in table:
            table = await self._table.reread()
        record = table.get(id)
        is_same = credentials.matches(key, record.hash if record else None)
        if record is None or not is_same:
            raise _invalid("The API key is unknown: ask the operator of this service for one.")
        now_s = self._now()
        if record.revoked_s is not None:
            raise _invalid("The API key was revoked: ask the operator of this service for another one.")
        if record.expires_s is not None and now_s >= record.expires_s:
            raise _invalid("The API key has expired: ask the operator of this service for another one.")
        self._record_use(id, int(now_s // DAY_S))
        return Client(id, record.scopes, "key")

    def _read(self) -> Mapping[str, ApiKeyRecord]:
        return {one.id: one for one in self._store.api_keys()}

    def _record_use(self, id: str, day: int) -> None:
        if self._last_used.get(id) != day:
            self._last_used[id] = day
            task = asyncio.create_task(self._write_use(id, day), name="record the use of an API key")
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def _write_use(self, id: str, day: int) -> None:
        try:
            await asyncio.to_thread(self._store.api_key_used, id, datetime.fromtimestamp(day * DAY_S, UTC).date())
        except AuthDatabaseError as error:
            log.warning("The last use of API key %s was not recorded: %s.", id, error)


def _invalid(message: str) -> Problem:
    challenge = f'Bearer error="invalid_token", error_description="{message}"'  # RFC 6750 section 3
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": challenge})


def new_key(
    name: str, scopes: frozenset[Scope], *, now_s: int, lifetime_s: int | None = None
) -> tuple[ApiKeyRecord, str]:
    """A new key: its record, and its text, which is not stored."""
    key = credentials.new(credentials.API_KEY)
    expires_s = None if lifetime_s is None else now_s + lifetime_s
    record = ApiKeyRecord(key.id, name, scopes, credentials.digest(key.text), created_s=now_s, expires_s=expires_s)
    return record, key.text
