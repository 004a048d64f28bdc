"""API keys: who sends one, without asking the database for each request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bertline.service.guard import credentials
from bertline.service.guard.cached_table import Refreshed
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.records import ApiKeyRecord
from bertline.service.guard.store import AuthDatabaseError, CredentialStore
from bertline.serving.problems import Code, Problem

REFRESH_S = 5.0  # in which a revocation reaches every process
DAY_S = 86_400
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    record: ApiKeyRecord
    client: Client


class ApiKeys:
    """The keys of a database.

    All of their hashes are in memory, read again every ``refresh_s`` and, at most once a second, when a key is not
    among them; so a revocation works everywhere within ``refresh_s``, and a new key at once. While the database is
    away the keys that are known go on, for an hour.

    Args:
        store: has them.
        refresh_s: most time that a revoked key goes on.
        clock: for ages, in seconds, never set back.
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
        self._table = Refreshed(self._read, "API keys", refresh_s=refresh_s, clock=clock)
        self._used: dict[str, int] = {}  # day of the last use that was noted
        self._noting: set[asyncio.Task[None]] = set()  # kept, or they could be collected

    async def client(self, key: str) -> Client:
        """Whose key it is. The id of the client is the key's public beginning, ``bl_3fK9x2Qa``.

        Raises:
            Problem: it is not valid (401), or no key can be checked (503).
        """
        id = credentials.id_of(key, credentials.API_KEY)
        if id is None:
            raise refused("The API key is mistyped or cut short: copy it again.")
        table = await self._table.get()
        if id not in table:
            table = await self._table.reread()
        known = table.get(id)
        same = credentials.matches(key, known.record.hash if known else None)
        if known is None or not same:
            raise refused("The API key is not known here: ask the operator of this service for one.")
        now_s = self._now()
        if known.record.revoked_s is not None:
            raise refused("The API key was revoked: ask the operator of this service for another one.")
        if known.record.expires_s is not None and now_s >= known.record.expires_s:
            raise refused("The API key has expired: ask the operator of this service for another one.")
        self._note_use(known.record, int(now_s // DAY_S))
        return known.client

    def _read(self) -> Mapping[str, _Known]:
        return {one.id: _Known(one, Client(one.id, one.scopes, "key")) for one in self._store.api_keys()}

    def _note_use(self, record: ApiKeyRecord, day: int) -> None:
        """Write the day of its last use, once a day."""
        if self._used.get(record.id) == day:
            return
        self._used[record.id] = day
        task = asyncio.create_task(self._note(record.id, day), name="note the use of an API key")
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self, id: str, day: int) -> None:
        try:
            await asyncio.to_thread(self._store.api_key_used, id, datetime.fromtimestamp(day * DAY_S, UTC).date())
        except AuthDatabaseError as error:
            log.warning("The last use of API key %s was not noted: %s.", id, error)


def refused(message: str) -> Problem:
    """The answer to a key that is not valid (RFC 6750 section 3)."""
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": challenge})


def new_key(
    name: str, scopes: frozenset[Scope], *, now_s: int, lifetime_s: int | None = None
) -> tuple[ApiKeyRecord, str]:
    """A new key: what is kept of it, and its text, which is known only now."""
    made = credentials.new(credentials.API_KEY)
    expires_s = None if lifetime_s is None else now_s + lifetime_s
    record = ApiKeyRecord(made.id, name, scopes, credentials.digest(made.text), created_s=now_s, expires_s=expires_s)
    return record, made.text
