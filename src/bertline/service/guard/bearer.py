"""Bearer tokens: from the string in the header to the client it stands for, or a refusal.

Verifying costs about as much as a tenth of a request, so a verified token is remembered by its SHA-256 for
a few minutes, and no longer than the keys of its issuer stay the same. Refused ones are not remembered.
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

REMEMBER_S = 300.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token was found to be: true as long as its time has not come and its issuer's keys are the same."""

    client: Client
    until_s: float
    keys: Keys
    generation: int


class BearerTokens:
    """Tokens of the issuers that are trusted.

    Args:
        issuers: each issuer once.
        now_s: seconds since 1970.

    Raises:
        SettingsError: there is none, or one is there twice.
    """

    def __init__(self, issuers: Sequence[Trust], *, now_s: Callable[[], float] = time.time) -> None:
        self._trusted = {trust.keys.issuer: trust for trust in issuers}
        if not self._trusted or len(self._trusted) != len(issuers):
            raise SettingsError("Issuers of bearer tokens must be named once each, and at least one.")
        self._now_s = now_s
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()  # by SHA-256; the longest unused first

    async def client(self, token: str) -> Client:
        """Who sent the token.

        Args:
            token: what followed ``Bearer`` and one space in the Authorization header.

        Raises:
            InvalidToken: it is refused.
            Problem: ``NOT_READY`` while the keys of its issuer are not known.
        """
        if not jwt.fits(token):
            raise InvalidToken(Check.STRUCTURE)
        digest = sha256(token.encode("ascii")).digest()
        return self._remembered(digest) or await self._verify(token, digest)

    def _remembered(self, digest: bytes) -> Client | None:
        known = self._verified.get(digest)
        if known is None:
            return None
        if self._now_s() < known.until_s and known.generation == known.keys.generation:
            self._verified.move_to_end(digest)
            return known.client
        del self._verified[digest]
        return None

    async def _verify(self, token: str, digest: bytes) -> Client:
        parts = jwt.read(token)
        issuer = parts.claims.get("iss")
        trust = self._trusted.get(issuer) if isinstance(issuer, str) else None
        if trust is None:
            raise InvalidToken(Check.ISSUER)
        algorithm = trust.algorithm(parts.header)
        candidates = await _candidates(trust.keys, parts.header, algorithm)
        generation = trust.keys.generation  # nothing waits from here on: it is the one of these keys
        if not any(key.verifies(algorithm, parts.signed, parts.signature) for key in candidates):
            raise InvalidToken(Check.SIGNATURE)
        now_s = self._now_s()
        client, until_s = trust.client(parts.header, parts.claims, now_s)
        self._remember(digest, _Verified(client, min(until_s, now_s + REMEMBER_S), trust.keys, generation))
        return client

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        self._verified[digest] = verified
        if len(self._verified) > MOST_REMEMBERED:
            self._verified.popitem(last=False)


async def _candidates(keys: Keys, header: dict[str, object], algorithm: str) -> list[VerifyingKey]:
    """The keys that may have signed: those of the name in the header; without a name the only one there is."""
    kid = header.get("kid")
    if "kid" in header and not isinstance(kid, str):
        raise InvalidToken(Check.KEY)
    found = await keys.find(kid if isinstance(kid, str) else None)
    fitting = [key for key in found if algorithm in key.algorithms]
    if not fitting or (kid is None and len(fitting) > 1):
        raise InvalidToken(Check.KEY)
    return fitting
