"""Public keys that verify signatures.

A key is bound to its algorithms (RFC 8725 section 3.1), whatever a token names: an RS256 key never becomes the shared
secret of HS256.
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
    """A public key of an issuer."""

    kid: str | None
    thumbprint: str  # RFC 7638
    algorithms: frozenset[str]  # allowed by its type, curve, ``use``, ``key_ops`` and ``alg``
    key: RSAKey | ECKey | OKPKey = field(compare=False, repr=False)

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether the signature over ``signed`` is valid."""
        return algorithm in self.algorithms and JWSRegistry.algorithms[algorithm].verify(signed, signature, self.key)


class Keys(Protocol):
    """The keys of one issuer."""

    @property
    def issuer(self) -> str:
        """The exact value of ``iss``."""

    @property
    def generation(self) -> int:
        """Changes whenever a key is added or removed; 0 while there is no usable set."""

    async def find(self, kid: str | None) -> Sequence[VerifyingKey]:
        """The keys with this ``kid``, all keys if it is None; empty if there is no such key.

        Raises:
            Problem: ``NOT_READY`` while the issuer's keys are unknown.
        """


def verifying_keys(jwks: object) -> tuple[VerifyingKey, ...]:
    """The usable keys of a JWK set (RFC 7517 section 5).

    It skips encryption keys, shared secrets, RSA keys below 2,048 bits, unknown types and curves, and private keys.

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
    except Exception:  # a key from outside may be invalid in any way
        return None
    algorithms = frozenset(name for name in PUBLIC_KEY_ALGORITHMS if _supports(key, name))
    return VerifyingKey(key.kid, thumbprint, algorithms, key) if algorithms else None


def _supports(key: RSAKey | ECKey | OKPKey, algorithm: str) -> bool:
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
    except JoseError:
        return False
    return True


def decoded(segment: str) -> bytes:
    """The decoded part of a compact JWS (RFC 7515 section 2).

    Raises:
        ValueError: it is not canonical base64url without padding.
    """
    return urlsafe_b64decode(segment.encode("ascii"))
