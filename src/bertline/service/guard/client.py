"""The client that a credential identifies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """A permission. No scope includes another."""

    PREDICT = "predict"
    METRICS = "metrics"
    ADMIN = "admin"
    FEEDBACK = "feedback"
    EXPLAIN = "explain"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request.

    Attributes:
        id: stable name for limits and logs; never the credential itself.
        kind: type of its credential: "token", "key", or "anonymous" on a server without authentication.
    """

    id: str
    scopes: frozenset[Scope]
    kind: str
