"""Finds the ledger of a request from its head, so that an excessive request is refused before its body is read."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from starlette.types import Scope

from bertline.service.guard.client import Client
from bertline.service.limits.ledger import Ledger, Ledgers

LARGEST_UNREAD = 65_536  # bytes of a refused body that are read and dropped, so that the connection can be reused


def ledger_of(limits: Ledgers | None, scope: Scope) -> Ledger | None:
    """The ledger of an authenticated request; None if no limit applies.

    Only requests to a model (POST) are limited. GET is free, including health and metrics, and so is administration: an
    operator must always be able to roll back a model.
    """
    if limits is None or scope["method"] != "POST" or scope["path"].startswith("/admin/"):
        return None
    client: Client | None = scope.get("state", {}).get("client")
    name = None if client is None or client.kind == "anonymous" else client.id
    return limits.ledger(name, peer_of(scope))


def peer_of(scope: Scope) -> str:
    """The address that a request comes from; for IPv6 the /64 network, which is usually one customer's."""
    client = scope.get("client")
    return _network(client[0]) if client else "local"


@lru_cache(4096)
def _network(host: str) -> str:
    """One name per peer.

     _network("192.0.2.7"), _network("::ffff:192.0.2.7"), _network("2001:db8:1:2:3:4:5:6")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    """
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))


def small(scope: Scope) -> bool:
    """Whether the body has a known, small size."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and int(value) <= LARGEST_UNREAD
        if name == b"transfer-encoding":
            return False
    return True
