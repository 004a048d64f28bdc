"""What the database of the guard holds: clients, API keys, signing keys. Times are whole seconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from bertline.service.guard.client import Scope


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A program that exchanges its secret for tokens at the token endpoint.

    Attributes:
        id: public, ``blc_…``.
        name: what people call it; need not be unique.
        scopes: the most that its tokens may have.
        secret_hash: SHA-256 of the secret.
        created_s: when.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: str = field(repr=False)
    created_s: int


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """A credential that is sent as it is with each request.

    Attributes:
        id: its public beginning, ``bl_…``.
        name: whose it is, for people; need not be unique.
        scopes: what its owner may do.
        hash: SHA-256 of the whole key.
        created_s: when.
        expires_s: first second in which it is refused; None is never.
        last_used: day (UTC) of the last request that it let in.
        revoked_s: when it was taken back.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    hash: str = field(repr=False)
    created_s: int
    expires_s: int | None = None
    last_used: date | None = None
    revoked_s: int | None = None


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A key that signs tokens.

    Attributes:
        generation: 1, 2, 3 …; there is one key of each.
        kid: RFC 7638 thumbprint.
        private_pem: PKCS #8.
        created_s: when it was published.
        signs_from_s: when it begins to sign.
    """

    generation: int
    kid: str
    private_pem: str = field(repr=False)
    created_s: int
    signs_from_s: int
