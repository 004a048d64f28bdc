"""An issuer whose tokens are accepted, and on which terms (RFC 9068 section 4, RFC 8725 section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertline.errors import SettingsError
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.keys import PUBLIC_KEY_ALGORITHMS, Keys

DEFAULT_ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "EdDSA", "Ed25519"})
LONGEST_CLIENT_ID = 255  # characters, as for sub in OpenID Connect
MOST_SKEW_S = 300.0
# Keys and addresses of keys that the token brings along prove nothing. No extension is understood here, so what is
# critical cannot be; b64 and zip would change what the signature is over and what the claims are.
_REFUSED_PARAMETERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})
_SCOPES = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer and what its tokens must be like.

    Attributes:
        keys: of the issuer.
        audience: what ``aud`` must contain: the name of this service with the issuer.
        types: values of ``typ``, without ``application/``; add ``JWT`` for an issuer that does not follow RFC 9068.
        algorithms: values of ``alg``.
        skew_s: by how much the issuer's clock may differ from ours.
        scope_prefix: in front of the scopes that are meant for us, as in ``bertline:predict``.

    Raises:
        SettingsError: the audience is empty, there are no types, an algorithm needs no key pair, or the skew is out
            of range.
    """

    keys: Keys
    audience: str
    types: frozenset[str] = frozenset({"at+jwt"})
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    skew_s: float = 60.0
    scope_prefix: str = ""

    def __post_init__(self) -> None:
        issuer = self.keys.issuer
        if not self.audience:
            raise SettingsError(f"The audience of tokens from {issuer} is empty: set it to this service's name there.")
        if not self.types:
            raise SettingsError(f"No type of token from {issuer} is accepted: leave the setting out for at+jwt.")
        if not self.algorithms or not self.algorithms <= PUBLIC_KEY_ALGORITHMS:
            known = ", ".join(sorted(PUBLIC_KEY_ALGORITHMS))
            raise SettingsError(f"Algorithms of tokens from {issuer} must be some of {known}.")
        if not 0 <= self.skew_s <= MOST_SKEW_S:
            raise SettingsError(f"The clock skew of tokens from {issuer} must be 0 to {MOST_SKEW_S:g} s.")
        object.__setattr__(self, "types", frozenset(_bare(kind) for kind in self.types))

    def algorithm(self, header: Mapping[str, Any]) -> str:
        """The algorithm that a header names, once the rest of the header was found to be in order.

        Raises:
            InvalidToken: it is not.
        """
        if not _REFUSED_PARAMETERS.isdisjoint(header):
            raise InvalidToken(Check.HEADER)
        kind, algorithm = header.get("typ"), header.get("alg")
        if not isinstance(kind, str) or _bare(kind) not in self.types:
            raise InvalidToken(Check.TYPE)
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise InvalidToken(Check.ALGORITHM)
        return algorithm

    def client(self, claims: Mapping[str, Any], now_s: float) -> tuple[Client, float]:
        """Who the claims of a verified token stand for, and until when (s since 1970).

        Raises:
            InvalidToken: the token is for somebody else, for another time, or says not enough.
        """
        named = claims.get("aud")
        if named != self.audience and not (isinstance(named, list) and self.audience in named):
            raise InvalidToken(Check.AUDIENCE)
        until_s = _number(claims.get("exp")) + self.skew_s
        if now_s >= until_s:
            raise InvalidToken(Check.EXPIRED)
        if any(_number(claims[name]) > now_s + self.skew_s for name in ("nbf", "iat") if name in claims):
            raise InvalidToken(Check.NOT_YET)
        return Client(_client_id(claims), self._scopes(claims), "token"), until_s

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """``scope`` is RFC 9068's; ``scp`` is Microsoft's (with spaces) and Okta's (a list). Others are ignored."""
        listed = claims["scope"] if "scope" in claims else claims.get("scp", "")
        names = listed.split(" ") if isinstance(listed, str) else listed
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidToken(Check.CLAIMS)
        ours = {name.removeprefix(self.scope_prefix) for name in names if name.startswith(self.scope_prefix)}
        return frozenset(Scope(name) for name in ours & _SCOPES)


def _bare(kind: str) -> str:
    """A media type as it is compared: RFC 7515 section 4.1.9 lets ``application/`` be left out."""
    return kind.lower().removeprefix("application/")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number of hundreds of digits
            raise InvalidToken(Check.CLAIMS) from None
        if math.isfinite(number):
            return number
    raise InvalidToken(Check.CLAIMS)


def _client_id(claims: Mapping[str, Any]) -> str:
    """The first of the three that is there decides; a strange one is not passed over for the next."""
    name = next((claims[claim] for claim in ("client_id", "azp", "sub") if claim in claims), None)
    if isinstance(name, str) and 0 < len(name) <= LONGEST_CLIENT_ID and name.isprintable():
        return name
    raise InvalidToken(Check.CLIENT)
