"""The keys that sign tokens: a new one every 30 days, shown before it is used, kept until its last token has expired.

Several processes have the same keys because they have the same database; the row of a generation can be written once,
so one process makes it and the others find it there. ES256 (RFC 7518 section 3.4), because every library verifies it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from bertline.service.guard.cached_table import Refreshed
from bertline.service.guard.keys import VerifyingKey, verifying_keys
from bertline.service.guard.records import SigningKeyRecord
from bertline.service.guard.store import CredentialStore

ALGORITHM = "ES256"
LIFETIME_S = 15 * 60  # of a token
EVERY_S = 30 * 86_400  # a new key
SHOWN_S = 10 * 60  # before it signs, so that those who verify have it by then
REFRESH_S = 60.0  # in which a process signs with a key that another has made
# After the lifetime of the last token that a key has signed: clocks that disagree by up to 5 minutes (what verifiers
# allow), and processes that have not heard of its successor.
MARGIN_S = 10 * 60


@dataclass(frozen=True, slots=True)
class _Keys:
    """What one reading of the database found, ready to use.

    Attributes:
        private: by ``kid``.
        public: a JWK set (RFC 7517 section 5).
        generation: of the set: another number when another reading found other keys.
    """

    records: Sequence[SigningKeyRecord]
    private: Mapping[str, ECKey]
    public: dict[str, Any]
    verifying: Sequence[VerifyingKey]
    generation: int


class SigningKeys:
    """The keys of an issuer: signs its tokens, and finds the key that verifies one (the protocol ``Keys``).

    Args:
        store: has the keys; the first is made when there is none.
        issuer: the claim ``iss`` of its tokens, the URL at which others find it.
        lifetime_s: of a token.
        clock: for ages, in seconds, never set back.
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
        self._keys = Refreshed(self._read, "signing keys", refresh_s=REFRESH_S, clock=clock)

    @property
    def generation(self) -> int:
        """Another number whenever a key was added or taken away; 0 while none was read."""
        known = self._keys.known
        return known.generation if known else 0

    async def find(self, kid: str | None) -> Sequence[VerifyingKey]:
        """The public keys of this id, all if it is None; one that another process has just made is found at once.

        Raises:
            Problem: the database has never answered, or not for an hour (503).
        """
        keys = await self._keys.get()
        if kid is not None and kid not in keys.private:
            keys = await self._keys.reread()
        return [one for one in keys.verifying if kid in (None, one.kid)]

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims and ours: ``iss``, ``iat``, ``exp``, ``jti`` (RFC 9068 section 2.2).

        Raises:
            Problem: as ``find``.
        """
        keys, now_s = await self._keys.get(), int(self._now())
        kid = _signer(keys.records, now_s).kid
        ours = {"iss": self.issuer, "iat": now_s, "exp": now_s + self.lifetime_s, "jti": secrets.token_urlsafe(16)}
        header = {"alg": ALGORITHM, "kid": kid, "typ": "at+jwt"}
        return jwt.encode(header, {**claims, **ours}, keys.private[kid], algorithms=[ALGORITHM])

    async def jwks(self) -> dict[str, Any]:
        """The public keys, those too that do not sign yet or no longer (RFC 7517 section 5).

        Raises:
            Problem: as ``find``.
        """
        return (await self._keys.get()).public

    def _read(self) -> _Keys:
        now_s = int(self._now())
        records = self._store.signing_keys()
        if not records or now_s - records[-1].created_s >= EVERY_S:
            rotate(self._store, records, now_s=now_s, signs_from_s=now_s + (SHOWN_S if records else 0))
            records = self._store.signing_keys()
        outlived = {one.generation for one in _outlived(records, now_s - self.lifetime_s - MARGIN_S)}
        if outlived:
            self._store.remove_signing_keys(outlived)
        records = [one for one in records if one.generation not in outlived]
        private = {one.kid: _key(one) for one in records}
        public = {"keys": [key.as_dict(private=False) for key in private.values()]}
        before = self._keys.known
        changed = before is None or before.private.keys() != private.keys()
        generation = (before.generation if before else 0) + changed
        return _Keys(records, private, public, verifying_keys(public), generation)


def rotate(store: CredentialStore, known: Sequence[SigningKeyRecord], *, now_s: int, signs_from_s: int) -> bool:
    """Make the key of the generation after those that are known.

    Args:
        store: where to.
        known: what was read from it, by generation.
        now_s: since 1970.
        signs_from_s: when it begins to sign.

    Returns:
        False if another process has made it.
    """
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
    """The newest that has begun; the first of all begins at once, also by a clock that is behind."""
    return [one for one in records if one.signs_from_s <= now_s or one is records[0]][-1]


def _outlived(records: Sequence[SigningKeyRecord], since_s: int) -> list[SigningKeyRecord]:
    """Those in whose place a newer one has signed since then."""
    return [
        one
        for one in records
        if any(newer.generation > one.generation and newer.signs_from_s <= since_s for newer in records)
    ]
