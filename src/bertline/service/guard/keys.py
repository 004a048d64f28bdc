"""Public keys that verify signatures, and what an issuer's keys must be able to do.

A key knows the algorithms it is meant for (RFC 8725 section 3.1), so an algorithm that a token names can only be
one of those: the key of RS256 never becomes the secret of HS256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

# Public keys only: with a shared secret, whoever can verify a token can also make one. EdDSA is Ed25519's old name.
PUBLIC_KEY_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"}
)
LEAST_RSA_BITS = 2048  # RFC 7518 section 3.3
_KINDS: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_SIGNING_CURVES = ("Ed25519", "Ed448")  # the other curves of OKP only agree on secrets


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of an issuer. Two are equal if they verify the same.

    Attributes:
        kid: its name; None if the issuer gave it none.
        thumbprint: of its public half (RFC 7638).
        algorithms: that it may be used with, by its kind, curve, ``use``, ``key_ops`` and ``alg``.
    """

    kid: str | None
    thumbprint: str
    algorithms: frozenset[str]
    key: RSAKey | ECKey | OKPKey = field(compare=False, repr=False)

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether the signature over ``signed`` was made with the private half of this key, in that algorithm."""
        return algorithm in self.algorithms and JWSRegistry.algorithms[algorithm].verify(signed, signature, self.key)


class Keys(Protocol):
    """The keys of one issuer, wherever they come from."""

    @property
    def issuer(self) -> str:
        """What ``iss`` says, exactly."""

    @property
    def generation(self) -> int:
        """Another number whenever a key was added or taken away; 0 while there are none to verify with."""

    async def find(self, kid: str | None) -> Sequence[VerifyingKey]:
        """The keys of that name, all of them if ``kid`` is None; none if there is no such key.

        Raises:
            Problem: ``NOT_READY`` while the issuer's keys are not known.
        """


def verifying_keys(jwks: object) -> tuple[VerifyingKey, ...]:
    """The usable keys of a JWK set (RFC 7517 section 5); the others are left out.

    Not usable are keys for encryption, shared secrets, RSA below 2,048 bits, unknown kinds and curves, and keys whose
    private half is in the set as well.

    Raises:
        ValueError: it is not a JWK set.
    """
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it is not a JWK set")
    return tuple(key for jwk in listed if (key := _usable(jwk)) is not None)


def _usable(jwk: object) -> VerifyingKey | None:
    if not isinstance(jwk, dict) or "d" in jwk or not isinstance(jwk.get("kid", ""), str):
        return None
    if jwk.get("kty") == "OKP" and jwk.get("crv") not in _SIGNING_CURVES:
        return None
    try:
        if jwk["kty"] == "RSA" and int.from_bytes(decoded(jwk["n"])).bit_length() < LEAST_RSA_BITS:
            return None  # before joserfc sees it, which would warn
        key = _KINDS[jwk["kty"]].import_key(jwk)
        key.check_key_op("verify")
        thumbprint = key.thumbprint()
    except Exception:  # whatever is wrong with a key of somebody else's making, it verifies nothing
        return None
    algorithms = frozenset(name for name in PUBLIC_KEY_ALGORITHMS if _fits(key, name))
    return VerifyingKey(key.kid, thumbprint, algorithms, key) if algorithms else None


def _fits(key: RSAKey | ECKey | OKPKey, algorithm: str) -> bool:
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
    except JoseError:
        return False
    return True


def decoded(segment: str) -> bytes:
    """The bytes behind a part of a compact JWS, of which there is one spelling only (RFC 7515 section 2).

    Raises:
        ValueError: it is not base64url without padding, or has bits set that mean nothing.
    """
    return urlsafe_b64decode(segment.encode("ascii"))
