"""Who asks: what a credential turned out to stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a client may do. A credential lists its scopes; none includes another."""

    PREDICT = "predict"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Client:
    """The one behind a request.

    Attributes:
        id: stable name for limits and logs; never the credential itself.
        scopes: what it may do.
        kind: what it showed: a bearer token, an API key, or nothing on a server without authentication.
    """

    id: str
    scopes: frozenset[Scope]
    kind: str  # "token", "key" or "anonymous"
