"""A trusted issuer and the terms for its tokens (RFC 9068 section 4, RFC 8725 section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertline.errors import SettingsError
from bertline.service.guard.access_token import is_access_token
from bertline.service.guard.claims import ABSENT, first
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.keys import PUBLIC_KEY_ALGORITHMS, Keys

DEFAULT_ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "EdDSA", "Ed25519"})
ACCESS_TOKEN_TYPE = "at+jwt"  # RFC 9068 section 2.1
NO_TYPE = "absent"  # among accepted types: a header without typ, which RFC 7519 section 5.1 makes optional
SCOPE_CLAIMS = ("scope", "scp")  # RFC 9068's; Microsoft's (with spaces) and Okta's (a list)
CLIENT_CLAIMS = ("client_id", "azp", "appid", "cid", "sub")
LONGEST_CLIENT_ID = 255  # characters, as for sub in OpenID Connect
MOST_SKEW_S = 300.0
# Keys inside a token, or their URLs, prove nothing. No extension is supported, so crit cannot be honoured; b64 and zip
# would change the signed bytes and the claims.
_REFUSED_PARAMETERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})
_SCOPES = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer and the terms for its tokens.

    Attributes:
        keys: of the issuer.
        audience: accepted names of this service, of which ``aud`` must contain one.
        types: accepted ``typ``, without ``application/``; ``absent`` is a header without one.
        algorithms: accepted ``alg``.
        skew_s: tolerated clock difference.
        scope_prefix: prefix of this service's scopes, as in ``bertline:predict``.
        scope_claims: claims with the scopes; the first one present counts.
        client_claims: claims with the client's name; the first one present counts.
        audience_claim: ``client_id`` for tokens without ``aud``: the audience is then a list of clients.

    Raises:
        SettingsError: an audience, type or claim is empty, an algorithm is unknown, or the skew is out of range.
    """

    keys: Keys
    audience: str | tuple[str, ...]
    types: frozenset[str] = frozenset({ACCESS_TOKEN_TYPE})
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    skew_s: float = 60.0
    scope_prefix: str = ""
    scope_claims: tuple[str, ...] = SCOPE_CLAIMS
    client_claims: tuple[str, ...] = CLIENT_CLAIMS
    audience_claim: str = "aud"

    def __post_init__(self) -> None:
        issuer = self.keys.issuer
        audience = (self.audience,) if isinstance(self.audience, str) else self.audience
        if not audience or not all(audience):
            raise SettingsError(f"The audience of tokens from {issuer} is empty: set it to this service's name there.")
        if not self.types:
            raise SettingsError(f"No type of token from {issuer} is accepted: leave the setting out for at+jwt.")
        if not self.scope_claims or not self.client_claims:
            raise SettingsError(f"No claim of tokens from {issuer} is read: leave the settings of claims out.")
        if not self.algorithms or not self.algorithms <= PUBLIC_KEY_ALGORITHMS:
            names = ", ".join(sorted(PUBLIC_KEY_ALGORITHMS))
            raise SettingsError(f"Algorithms of tokens from {issuer} must be some of {names}.")
        if not 0 <= self.skew_s <= MOST_SKEW_S:
            raise SettingsError(f"The clock skew of tokens from {issuer} must be 0 to {MOST_SKEW_S:g} s.")
        object.__setattr__(self, "audience", audience)
        object.__setattr__(self, "types", frozenset(_bare(kind) for kind in self.types))

    def algorithm(self, header: Mapping[str, Any]) -> str:
        """Check a header, and return its algorithm.

        Raises:
            InvalidToken: a check fails.
        """
        if not _REFUSED_PARAMETERS.isdisjoint(header):
            raise InvalidToken(Check.HEADER)
        algorithm = header.get("alg")
        if _type(header) not in self.types:
            raise InvalidToken(Check.TYPE)
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise InvalidToken(Check.ALGORITHM)
        return algorithm

    def client(self, header: Mapping[str, Any], claims: Mapping[str, Any], now_s: float) -> tuple[Client, float]:
        """The client of a verified token, and until when the token is valid (s since 1970).

        Raises:
            InvalidToken: it is not an access token, has another audience, is not valid now, or lacks claims.
        """
        if not is_access_token(claims, typed=_type(header) == ACCESS_TOKEN_TYPE):
            raise InvalidToken(Check.ACCESS)
        self._check_audience(claims)
        until_s = _number(claims.get("exp")) + self.skew_s
        if now_s >= until_s:
            raise InvalidToken(Check.EXPIRED)
        if any(_number(claims[name]) > now_s + self.skew_s for name in ("nbf", "iat") if name in claims):
            raise InvalidToken(Check.NOT_YET)
        return Client(self._client_id(claims), self._scopes(claims), "token"), until_s

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """``aud`` counts even if the issuer's tokens usually have none."""
        value = claims.get(self.audience_claim)
        values = value if isinstance(value, list) and self.audience_claim == "aud" else [value]
        if not any(one in self.audience for one in values if isinstance(one, str)):
            raise InvalidToken(Check.AUDIENCE if self.audience_claim == "aud" else Check.AUDIENCE_CLIENT)
        if self.audience_claim != "aud" and "aud" in claims:
            raise InvalidToken(Check.AUDIENCE)

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """From a string with spaces or a list. Other services' scopes are ignored."""
        value = first(claims, self.scope_claims)
        value = "" if value is ABSENT else value
        names = value.split(" ") if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidToken(Check.CLAIMS)
        ours = {name.removeprefix(self.scope_prefix) for name in names if name.startswith(self.scope_prefix)}
        return frozenset(Scope(name) for name in ours & _SCOPES)

    def _client_id(self, claims: Mapping[str, Any]) -> str:
        """The first claim present counts, even if it is invalid."""
        name = first(claims, self.client_claims)
        if isinstance(name, str) and 0 < len(name) <= LONGEST_CLIENT_ID and name.isprintable():
            return name
        raise InvalidToken(Check.CLIENT)


def _type(header: Mapping[str, Any]) -> str | None:
    """The ``typ`` of a header; ``NO_TYPE`` without one, None if it is invalid."""
    if "typ" not in header:
        return NO_TYPE
    kind = header["typ"]
    return _bare(kind) if isinstance(kind, str) and _bare(kind) != NO_TYPE else None


def _bare(kind: str) -> str:
    """A media type for comparison: RFC 7515 section 4.1.9 allows omitting ``application/``."""
    return kind.lower().removeprefix("application/")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of hundreds of digits
            raise InvalidToken(Check.CLAIMS) from None
        if math.isfinite(number):
            return number
    raise InvalidToken(Check.CLAIMS)
