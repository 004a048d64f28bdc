"""The rows of the guard's database: clients, API keys, signing keys. Times are whole seconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from bertline.service.guard.client import Scope


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A program that exchanges its secret for tokens at the token endpoint."""

    id: str  # public, ``blc_…``
    name: str  # for people; need not be unique
    scopes: frozenset[Scope]  # that its tokens may have
    secret_hash: str = field(repr=False)
    created_s: int


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """A credential that is sent with each request."""

    id: str  # its public prefix, ``bl_…``
    name: str  # for people; need not be unique
    scopes: frozenset[Scope]
    hash: str = field(repr=False)
    created_s: int
    expires_s: int | None = None  # first second in which it is rejected
    last_used: date | None = None  # day (UTC) of the last accepted request
    revoked_s: int | None = None


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A key that signs tokens."""

    generation: int  # 1, 2, 3 …; unique
    kid: str  # RFC 7638 thumbprint
    private_pem: str = field(repr=False)  # PKCS #8
    created_s: int
    signs_from_s: int
