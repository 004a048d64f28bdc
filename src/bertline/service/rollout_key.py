"""The key by which a rollout chooses the version for a request: the same key gets the same version."""

from __future__ import annotations

from starlette.types import Scope

from bertline.service.guard.door import ANONYMOUS

HEADER = b"x-rollout-key"
LONGEST_BYTES = 256


def key_of(scope: Scope) -> bytes:
    """What the client sent in X-Rollout-Key; without it the authenticated client, or else the client's address.

    >>> key_of({"headers": [(b"x-rollout-key", b"user-17")], "client": ("10.0.0.1", 5000)})
    b'user-17'
    >>> key_of({"headers": [], "client": ("10.0.0.1", 5000)})
    b'10.0.0.1'
    """
    for name, value in scope["headers"]:
        if name == HEADER and value:
            sent: bytes = value[:LONGEST_BYTES]
            return sent
    client = scope.get("state", {}).get("client", ANONYMOUS)
    if client is not ANONYMOUS:
        return str(client.id).encode()
    peer = scope.get("client")
    return str(peer[0]).encode() if peer else b""
