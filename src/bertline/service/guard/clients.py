"""Clients of the token endpoint: programs with an id and a secret."""

from __future__ import annotations

import asyncio

from bertline.service.guard import credentials
from bertline.service.guard.client import Scope
from bertline.service.guard.failures import Failures
from bertline.service.guard.records import ClientRecord
from bertline.service.guard.store import AuthDatabaseError, CredentialStore
from bertline.serving.problems import Code, Problem

LONGEST_ID = 32  # that is remembered of what was sent


class Clients:
    """The clients of a database, asked for each token: tokens are few, and a client that was removed gets none.

    Args:
        store: has them.
        failures: counts wrong secrets.
    """

    def __init__(self, store: CredentialStore, failures: Failures | None = None) -> None:
        self._store, self._failures = store, failures or Failures()

    async def authenticate(self, id: str, secret: str, address: str) -> ClientRecord:
        """The client of this id, if the secret is its own.

        Args:
            id: as it was sent.
            secret: as it was sent.
            address: where it came from.

        Raises:
            Problem: one of both is wrong (401), that was so too often (429), or the database is away (503).
        """
        senders = (("client", id[:LONGEST_ID]), ("address", address))
        self._failures.check(*senders)
        try:
            possible = credentials.is_id(id, credentials.CLIENT)
            found = await asyncio.to_thread(self._store.client, id) if possible else None
        except AuthDatabaseError:
            raise Problem(
                Code.NOT_READY,
                "The database of clients does not answer: ask again in a few seconds.",
                headers={"Retry-After": "5"},
            ) from None
        self._failures.check(*senders)  # again: others with the same secret were looked at meanwhile
        same = credentials.matches(secret, found.secret_hash if found else None)
        if found is None or not same:
            self._failures.count(*senders)
            raise Problem(
                Code.INVALID_CREDENTIALS,
                "The client id or its secret is wrong.",
                headers={"WWW-Authenticate": 'Basic realm="bertline"'},
            )
        return found


def new_client(name: str, scopes: frozenset[Scope], *, now_s: int) -> tuple[ClientRecord, str]:
    """A new client: what is kept of it, and its secret, which is known only now."""
    made = credentials.new(credentials.CLIENT)
    return ClientRecord(made.id, name, scopes, credentials.digest(made.text), created_s=now_s), made.text
