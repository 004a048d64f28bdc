"""Tokens of an issuer, true and forged, and the issuer's keys without a network."""

from __future__ import annotations

import base64
import functools
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from bertline.service.guard.keys import VerifyingKey, verifying_keys

ISSUER = "https://issuer.example"
AUDIENCE = "bertline"
CANARY = "canary-7Yq2"  # planted in tokens; must not come out again


@functools.cache
def key(kid: str) -> Key:
    """A key pair; the same for the same name, whose first part says of which kind."""
    parameters: Any = {"kid": kid}
    match kid.split("-")[0]:
        case "rsa":
            return RSAKey.generate_key(2048, parameters)
        case "weak":
            with warnings.catch_warnings(action="ignore", category=SecurityWarning):
                return RSAKey.generate_key(1024, parameters)
        case "p256":
            return ECKey.generate_key("P-256", parameters)
        case "p384":
            return ECKey.generate_key("P-384", parameters)
        case "ed":
            return OKPKey.generate_key("Ed25519", parameters)
    raise AssertionError(kid)


def public(*kids: str, **more: Any) -> dict[str, Any]:
    """A JWK set."""
    return {"keys": [{**key(kid).as_dict(private=False), **more} for kid in kids]}


class StaticKeys:
    """Keys that come from nowhere."""

    def __init__(self, *kids: str, issuer: str = ISSUER) -> None:
        self.issuer, self.generation = issuer, 1
        self.keys = verifying_keys(public(*kids))
        self.asked: list[str | None] = []

    async def find(self, kid: str | None) -> Sequence[VerifyingKey]:
        self.asked.append(kid)
        return [one for one in self.keys if kid in (None, one.kid)]


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def header(**changes: Any) -> dict[str, Any]:
    """Of a good token; a value of None leaves the parameter out."""
    return _changed({"typ": "at+jwt", "alg": "ES256", "kid": "p256"}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    """Of a good token; a value of None leaves the claim out."""
    now_s = int(time.time())
    good = {
        "iss": ISSUER, "aud": AUDIENCE, "exp": now_s + 300, "iat": now_s, "sub": "robot-7", "client_id": "robot",
        "scope": "predict openid", "jti": "1",
    }  # fmt: skip
    return _changed(good, changes)


def _changed(good: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def sealed(head: Mapping[str, Any] | bytes, body: Mapping[str, Any] | bytes, by: Key, algorithm: str) -> str:
    """Anything, signed rightly in this algorithm whatever the header says."""
    signed = ".".join(b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (head, body))
    return f"{signed}.{b64(JWSRegistry.algorithms[algorithm].sign(signed.encode(), by))}"


def token(
    head: Mapping[str, Any] | bytes | None = None,
    body: Mapping[str, Any] | bytes | None = None,
    *,
    kid: str = "p256",
    algorithm: str = "ES256",
) -> str:
    """A good token, but for what is given."""
    head = header(kid=kid, alg=algorithm) if head is None else head
    return sealed(head, claims() if body is None else body, key(kid), algorithm)
