"""The real app behind limits, and a guard that believes what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from bertline.service.app import REFUSE, create_app
from bertline.service.guard.client import Client
from bertline.service.limits.buckets import Charge
from bertline.service.limits.grouped import Grouped
from bertline.service.limits.in_database import InDatabase
from bertline.service.limits.in_redis import InRedis
from bertline.service.limits.ledger import Ledgers
from bertline.service.limits.middleware import LimitPerClient
from bertline.service.limits.settings import LimitSettings
from bertline.service.limits.store import Outage, SharedStore
from bertline.serving.serving import Serving
from bertline.testing.clock import Clock
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

_all_there: Barrier


class Named:
    """In the place of the guard: the client is who the header ``X-Client`` says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(b"x-client", b"").decode()
            kind = "key" if name else "anonymous"
            scope.setdefault("state", {})["client"] = Client(name or "anonymous", frozenset(), kind)
        await self._app(scope, receive, send)


def guarded(app: FastAPI, limits: Ledgers) -> FastAPI:
    """The app, behind the limits."""
    refused = app.state.serving.listeners.refused
    app.add_middleware(LimitPerClient, limits=limits, refuse=REFUSE, on_refused=refused)
    app.add_middleware(Named)
    return app


def app_of(serving: Serving, limits: Ledgers) -> FastAPI:
    """The app for these models, behind the limits."""
    return guarded(create_app(serving), limits)


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

    async def one(store: Grouped) -> int:
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
        shared: SharedStore = InRedis(url) if url.startswith("unix") else InDatabase(url)
        store = Grouped(shared, timeout_s=30)  # which would leave it unknown whether a database has charged
        _all_there.wait(60)
        try:
            return sum(await asyncio.gather(*(one(store) for _ in range(8))))
        finally:
            await store.close()

    return asyncio.run(all_of_them()), unknown
