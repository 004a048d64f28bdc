"""Clients of the token endpoint: programs with an id and a secret."""

from __future__ import annotations

import asyncio

from bertline.service.guard import credentials
from bertline.service.guard.client import Scope
from bertline.service.guard.failures import Failures
from bertline.service.guard.records import ClientRecord
from bertline.service.guard.store import AuthDatabaseError, CredentialStore
from bertline.serving.problems import Code, Problem

LONGEST_ID = 32  # characters of an id that identify a sender of wrong secrets


class Clients:
    """The clients of a database, queried for each token: tokens are few, and a removed client gets none."""

    def __init__(self, store: CredentialStore, failures: Failures | None = None) -> None:
        self._store, self._failures = store, failures or Failures()

    async def authenticate(self, id: str, secret: str, address: str) -> ClientRecord:
        """The client of this id; ``address`` is the sender's, for counting failures.

        Raises:
            Problem: the id or secret is wrong (401), too many attempts failed (429), or the database is down (503).
        """
        senders = (("client", id[:LONGEST_ID]), ("address", address))
        self._failures.check(*senders)
        try:
            is_id = credentials.is_id(id, credentials.CLIENT)
            client = await asyncio.to_thread(self._store.client, id) if is_id else None
        except AuthDatabaseError:
            message = "The database of clients does not answer: try again in a few seconds."
            raise Problem(Code.NOT_READY, message, headers={"Retry-After": "5"}) from None
        self._failures.check(*senders)  # again: concurrent attempts may have failed meanwhile
        is_same = credentials.matches(secret, client.secret_hash if client else None)
        if client is None or not is_same:
            self._failures.count(*senders)
            raise Problem(
                Code.INVALID_CREDENTIALS,
                "The client id or its secret is wrong.",
                headers={"WWW-Authenticate": 'Basic realm="bertline"'},
            )
        return client


def new_client(name: str, scopes: frozenset[Scope], *, now_s: int) -> tuple[ClientRecord, str]:
    """A new client: its record, and its secret, which is not stored."""
    client = credentials.new(credentials.CLIENT)
    return ClientRecord(client.id, name, scopes, credentials.digest(client.text), created_s=now_s), client.text
