"""The keys that sign tokens: rotated every 30 days, published before use, kept until the last token has expired.

Processes share the keys through their database. The row of a generation can be written only once, so one process
creates it and the others read it. ES256 (RFC 7518 section 3.4), because every library verifies it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from bertline.service.guard.cached_table import CachedTable
from bertline.service.guard.keys import VerifyingKey, verifying_keys
from bertline.service.guard.records import SigningKeyRecord
from bertline.service.guard.store import CredentialStore

ALGORITHM = "ES256"
LIFETIME_S = 15 * 60  # of a token
ROTATE_EVERY_S = 30 * 86_400
PUBLISH_AHEAD_S = 10 * 60  # so that verifiers have a key before it signs
REFRESH_S = 60.0  # after which a process uses a key that another has created
# After the last token of a key has expired: for clocks that differ by up to 5 minutes (what verifiers allow), and for
# processes that have not read its successor yet.
MARGIN_S = 10 * 60


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of the database, ready to use."""

    records: Sequence[SigningKeyRecord]
    private: Mapping[str, ECKey]  # by ``kid``
    public: dict[str, Any]  # a JWK set (RFC 7517 section 5)
    verifying: Sequence[VerifyingKey]
    generation: int  # changes with the set


class SigningKeys:
    """Signs the tokens of an issuer, and finds the key that verifies one (the protocol ``Keys``).

    Args:
        store: the database of the keys.
        issuer: the claim ``iss`` of its tokens, its public URL.
        lifetime_s: of a token.
        clock: monotonic seconds.
        now: seconds since 1970.
    """

    def __init__(
        self,
        store: CredentialStore,
        issuer: str,
        *,
        lifetime_s: int = LIFETIME_S,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.issuer, self.lifetime_s = issuer, lifetime_s
        self._store, self._now = store, now
        self._keys = CachedTable(self._read, "signing keys", refresh_s=REFRESH_S, clock=clock)

    @property
    def generation(self) -> int:
        """Changes whenever a key is added or removed; 0 before the first reading."""
        return self._keys.latest.generation if self._keys.latest else 0

    async def find(self, kid: str | None) -> Sequence[VerifyingKey]:
        """The public keys with this ``kid``, all if it is None; an unknown one is looked up in the database.

        Raises:
            Problem: the database has never answered, or not for an hour (503).
        """
        keys = await self._keys.get()
        if kid is not None and kid not in keys.private:
            keys = await self._keys.reread()
        return [one for one in keys.verifying if kid in (None, one.kid)]

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims and ``iss``, ``iat``, ``exp``, ``jti`` (RFC 9068 section 2.2).

        Raises:
            Problem: as ``find``.
        """
        keys, now_s = await self._keys.get(), int(self._now())
        kid = _signer(keys.records, now_s).kid
        ours = {"iss": self.issuer, "iat": now_s, "exp": now_s + self.lifetime_s, "jti": secrets.token_urlsafe(16)}
        header = {"alg": ALGORITHM, "kid": kid, "typ": "at+jwt"}
        return jwt.encode(header, {**claims, **ours}, keys.private[kid], algorithms=[ALGORITHM])

    async def jwks(self) -> dict[str, Any]:
        """The public keys, including those that do not sign yet or no longer (RFC 7517 section 5).

        Raises:
            Problem: as ``find``.
        """
        return (await self._keys.get()).public

    def _read(self) -> _Keys:
        now_s = int(self._now())
        records = self._store.signing_keys()
        if not records or now_s - records[-1].created_s >= ROTATE_EVERY_S:
            rotate(self._store, records, now_s=now_s, signs_from_s=now_s + (PUBLISH_AHEAD_S if records else 0))
            records = self._store.signing_keys()
        expired = _expired(records, now_s - self.lifetime_s - MARGIN_S)
        if expired:
            self._store.remove_signing_keys(expired)
        records = [one for one in records if one.generation not in expired]
        private = {one.kid: _key(one) for one in records}
        public = {"keys": [key.as_dict(private=False) for key in private.values()]}
        before = self._keys.latest
        has_changed = before is None or before.private.keys() != private.keys()
        return _Keys(records, private, public, verifying_keys(public), self.generation + has_changed)


def rotate(store: CredentialStore, known: Sequence[SigningKeyRecord], *, now_s: int, signs_from_s: int) -> bool:
    """Create the key of the generation after ``known``; False if another process has created it."""
    key = ECKey.generate_key("P-256", auto_kid=True)
    return store.add_signing_key(
        SigningKeyRecord(
            generation=known[-1].generation + 1 if known else 1,
            kid=str(key.kid),
            private_pem=key.as_pem(private=True).decode(),
            created_s=now_s,
            signs_from_s=signs_from_s,
        )
    )


def _key(record: SigningKeyRecord) -> ECKey:
    return ECKey.import_key(record.private_pem, {"kid": record.kid, "use": "sig", "alg": ALGORITHM})


def _signer(records: Sequence[SigningKeyRecord], now_s: int) -> SigningKeyRecord:
    """The newest key whose time has come; the oldest signs at once, even if the clock is behind."""
    return [one for one in records if one.signs_from_s <= now_s or one is records[0]][-1]


def _expired(records: Sequence[SigningKeyRecord], since_s: int) -> set[int]:
    """The generations that a newer key has replaced before ``since_s``."""
    replaced = [one.generation for one in records if one.signs_from_s <= since_s]
    return {one.generation for one in records if replaced and one.generation < max(replaced)}
