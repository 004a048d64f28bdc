"""The limits at the door: a request that is too much is refused before its body is read."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from starlette.types import Scope

from bertline.service.guard.client import Client
from bertline.service.limits.ledger import Ledger, Ledgers

LARGEST_UNREAD = 65_536  # bytes of a refused body that are thrown away, so that the connection can be used again


def ledger_of(limits: Ledgers | None, scope: Scope) -> Ledger | None:
    """The account that pays for a request; None if nothing limits it.

    Whatever asks a model something (POST) is limited, by its client's terms. Reading what is there (GET), health and
    metrics among it, is free, and so is administration: who has to take a model back must not be kept from it.

    Args:
        limits: of all clients.
        scope: of a request whose client the guard has named.
    """
    if limits is None or scope["method"] != "POST" or scope["path"].startswith("/admin/"):
        return None
    client: Client | None = scope.get("state", {}).get("client")
    named = client is not None and client.kind != "anonymous"
    return limits.ledger(client.id if client and named else None, peer_of(scope))


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


def small(scope: Scope) -> bool:
    """Whether the body is of a known size and small."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and int(value) <= LARGEST_UNREAD
        if name == b"transfer-encoding":
            return False
    return True
