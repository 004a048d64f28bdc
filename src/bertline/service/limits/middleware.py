"""The limits at the door: a request that is too much is refused before its body is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.service.guard.client import Client
from bertline.service.limits.ledger import Ledger, Ledgers, current
from bertline.service.problems import response_of
from bertline.serving.problems import Problem

LARGEST_UNREAD = 65_536  # bytes of a refused body that are thrown away, so that the connection can be used again


class LimitPerClient:
    """ASGI middleware: whatever asks a model something (POST) is let in, or refused with 429, by its client's limits.

    Reading what is there (GET), health and metrics among it, is free, and so is administration: who has to take a
    model back must not be kept from it. It stands inside the guard, which says who the client is, and outside
    ``BodyLimit``.

    Args:
        app: what it stands before.
        limits: of all clients.
        refuse: shapes the answer as the path's dialect has it.
        on_refused: is told of each refusal here; those of tokens reach the routes, as any other problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Ledgers,
        refuse: Callable[[Scope, Problem], Response] = lambda _, problem: response_of(problem),
        on_refused: Callable[[Problem], None] = lambda _: None,
    ) -> None:
        self._app, self._limits, self._refuse, self._on_refused = app, limits, refuse, on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its answer, or refuse it."""
        ledger = self._ledger(scope)
        if ledger is None:
            await self._app(scope, receive, send)
            return
        status = 0

        async def complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *ledger.fields()]
            await send(message)

        before = current.set(ledger)
        try:
            try:
                await ledger.enter()
            except Problem as problem:
                self._on_refused(problem)
                await self._refusal(scope, problem)(scope, receive, complete)
                return
            await self._app(scope, receive, complete)
        finally:
            current.reset(before)
            await ledger.leave(status)

    def _ledger(self, scope: Scope) -> Ledger | None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].startswith("/admin/"):
            return None
        client: Client | None = scope.get("state", {}).get("client")
        named = client is not None and client.kind != "anonymous"
        return self._limits.ledger(client.id if client and named else None, peer_of(scope))

    def _refusal(self, scope: Scope, problem: Problem) -> Response:
        response = self._refuse(scope, problem)
        if not _small(scope):
            response.headers["Connection"] = "close"
        return response


def peer_of(scope: Scope) -> str:
    """The address that a request comes from; of IPv6 the network of one customer, who has 2^64 addresses in it."""
    client = scope.get("client")
    return _network(client[0]) if client else "local"


@lru_cache(4096)
def _network(host: str) -> str:
    """One name for one peer.

    >>> _network("192.0.2.7"), _network("::ffff:192.0.2.7"), _network("2001:db8:1:2:3:4:5:6")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    """
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))


def _small(scope: Scope) -> bool:
    """Whether the body is of a known size and small."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and int(value) <= LARGEST_UNREAD
        if name == b"transfer-encoding":
            return False
    return True
