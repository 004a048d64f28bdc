"""Bearer tokens: verified, and cached by their SHA-256.

Verification costs about a tenth of a request, so a valid token is cached for a few minutes, and only while the keys of
its issuer stay the same. Invalid tokens are not cached.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from bertline.errors import SettingsError
from bertline.service.guard import jwt
from bertline.service.guard.client import Client
from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.keys import Keys, VerifyingKey
from bertline.service.guard.trust import Trust

CACHE_S = 300.0
MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class _Verified:
    """A cached result, valid until ``until_s`` and while the issuer's keys have this generation."""

    client: Client
    until_s: float
    keys: Keys
    generation: int


class BearerTokens:
    """Tokens of trusted issuers (a ``Verifier``).

    Args:
        issuers: each issuer once.
        now_s: seconds since 1970.

    Raises:
        SettingsError: there is no issuer, or a duplicate.
    """

    def __init__(self, issuers: Sequence[Trust], *, now_s: Callable[[], float] = time.time) -> None:
        self._trusted = {trust.keys.issuer: trust for trust in issuers}
        if not self._trusted or len(self._trusted) != len(issuers):
            raise SettingsError("Issuers of bearer tokens must be named once each, and at least one.")
        self._now_s = now_s
        self._cache: OrderedDict[bytes, _Verified] = OrderedDict()  # by SHA-256, least recently used first

    async def client(self, token: str) -> Client:
        """The client that a token identifies.

        Raises:
            InvalidToken: a check fails.
            Problem: ``NOT_READY`` while the keys of its issuer are unknown.
        """
        if not jwt.fits(token):
            raise InvalidToken(Check.STRUCTURE)
        digest = sha256(token.encode("ascii")).digest()
        return self._cached(digest) or await self._verify(token, digest)

    def _cached(self, digest: bytes) -> Client | None:
        cached = self._cache.get(digest)
        if cached is None:
            return None
        if self._now_s() < cached.until_s and cached.generation == cached.keys.generation:
            self._cache.move_to_end(digest)
            return cached.client
        del self._cache[digest]
        return None

    async def _verify(self, token: str, digest: bytes) -> Client:
        parts = jwt.read(token)
        issuer = parts.claims.get("iss")
        trust = self._trusted.get(issuer) if isinstance(issuer, str) else None
        if trust is None:
            raise InvalidToken(Check.ISSUER)
        algorithm = trust.algorithm(parts.header)
        candidates = await _candidates(trust.keys, parts.header, algorithm)
        generation = trust.keys.generation  # no await from here on, so it belongs to these keys
        if not any(key.verifies(algorithm, parts.signed, parts.signature) for key in candidates):
            raise InvalidToken(Check.SIGNATURE)
        now_s = self._now_s()
        client, until_s = trust.client(parts.header, parts.claims, now_s)
        self._cache[digest] = _Verified(client, min(until_s, now_s + CACHE_S), trust.keys, generation)
        if len(self._cache) > MOST_CACHED:
            self._cache.popitem(last=False)
        return client


async def _candidates(keys: Keys, header: dict[str, object], algorithm: str) -> list[VerifyingKey]:
    """The keys that may have signed: those with the ``kid`` of the header, or the issuer's only key without one."""
    kid = header.get("kid")
    if "kid" in header and not isinstance(kid, str):
        raise InvalidToken(Check.KEY)
    named = await keys.find(kid if isinstance(kid, str) else None)
    candidates = [key for key in named if algorithm in key.algorithms]
    if not candidates or (kid is None and len(candidates) > 1):
        raise InvalidToken(Check.KEY)
    return candidates
