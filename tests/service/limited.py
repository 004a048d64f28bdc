"""The real app behind limits, and a guard that believes what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from bertline.service.app import App, create_app
from bertline.service.guard.client import Client
from bertline.service.guard.client import Scope as GuardScope
from bertline.service.guard.door import KEY_PREFIX
from bertline.service.limits.buckets import Charge
from bertline.service.limits.grouped import GroupedStore
from bertline.service.limits.in_database import DatabaseStore
from bertline.service.limits.in_redis import RedisStore
from bertline.service.limits.ledger import Ledgers
from bertline.service.limits.settings import LimitSettings
from bertline.service.limits.store import Outage, SharedStore
from bertline.service.perimeter import Perimeter
from bertline.serving.serving import Serving
from bertline.testing.clock import Clock
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

NOBODY = "nobody"
_all_there: Barrier


class Named:
    """In the place of API keys: the client is who its key says."""

    async def client(self, credential: str) -> Client:
        name = credential.removeprefix(KEY_PREFIX)
        return Client(name, frozenset(GuardScope), "anonymous" if name == NOBODY else "key")


def app_of(serving: Serving, limits: Ledgers) -> App:
    """The app for these models, behind the limits; the header ``X-Client`` says who asks."""
    app = create_app(serving, Perimeter(limits=limits, keys=Named()))
    before = app.around

    def around(framework: ASGIApp) -> ASGIApp:
        inner = before(framework)

        async def named(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                name = dict(scope["headers"]).get(b"x-client", NOBODY.encode())
                scope["headers"] = [*scope["headers"], (b"x-api-key", KEY_PREFIX.encode() + name)]
            await inner(scope, receive, send)

        return named

    app.around = around
    return app


@contextmanager
def limited_client(limits: Ledgers, model: WordCounter | None = None) -> Iterator[TestClient]:
    """A client of the app."""
    serving = serving_of({"reviews": model or WordCounter()})
    with TestClient(app_of(serving, limits), client=("192.0.2.1", 50_000)) as client:
        yield until_ready(client)


def limits_of(clock: Clock | None = None, **settings: Any) -> Ledgers:
    """Limits whose time stands still."""
    return Ledgers(LimitSettings(**settings), clock=clock or Clock())


def keep(barrier: Barrier) -> None:
    """Make this process one of those that begin to ask at the same time."""
    global _all_there
    _all_there = barrier


def demand(url: str, charge: Charge) -> tuple[int, int]:
    """What this process gets of a client's tokens when it asks for more until there are none.

    Args:
        url: of the store.
        charge: whose tokens are asked for at first, and then fewer and fewer.

    Returns:
        Tokens that were granted, and those of calls of which nobody knows whether they arrived.
    """
    unknown = 0

    async def one(store: GroupedStore) -> int:
        nonlocal unknown
        got, tokens = 0, charge.tokens
        while tokens:
            try:
                _, granted = await store.charge(charge._replace(tokens=tokens))
            except Outage as outage:  # a database that had others to serve says so, and has charged nothing
                unknown += tokens if str(outage) == "TimeoutError" else 0
                await asyncio.sleep(0.2)
                continue
            got, tokens = (got + tokens, tokens) if granted else (got, tokens - 1)
        return got

    async def all_of_them() -> int:
        shared: SharedStore = RedisStore(url) if url.startswith("unix") else DatabaseStore(url)
        store = GroupedStore(shared, timeout_s=30)  # which would leave it unknown whether a database has charged
        _all_there.wait(60)
        try:
            return sum(await asyncio.gather(*(one(store) for _ in range(8))))
        finally:
            await store.close()

    return asyncio.run(all_of_them()), unknown
