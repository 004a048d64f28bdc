"""The checks of a bearer token, with a constant message for each: no part of a token is ever repeated."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bertline.serving.problems import Code, Problem


class Check(StrEnum):
    """A check that a token failed, for programs and metrics."""

    STRUCTURE = "structure"
    TYPE = "type"
    ALGORITHM = "algorithm"
    HEADER = "header"
    ISSUER = "issuer"
    KEY = "key"
    SIGNATURE = "signature"
    ACCESS = "access"
    AUDIENCE = "audience"
    AUDIENCE_CLIENT = "audience_client"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    CLAIMS = "claims"
    CLIENT = "client"


# ASCII without quotes and backslashes, as error_description must be (RFC 6750 section 3).
SENTENCE: Mapping[Check, str] = {
    Check.STRUCTURE: "it is not a signed JWT in compact form of at most 8 KiB: send it as the issuer gave it",
    Check.TYPE: "its typ is not that of an access token: ask the issuer for an access token, not for an ID token",
    Check.ALGORITHM: "its alg is not accepted here: have the issuer sign with one that is",
    Check.HEADER: "its header has crit, a key, a certificate or the URL of one: leave those out",
    Check.ISSUER: "its iss is not a trusted issuer: get a token from one that is",
    Check.KEY: "its kid is not that of an issuer's key for its alg: ask the issuer for a new token",
    Check.SIGNATURE: "its signature does not match: ask the issuer for a new token",
    Check.ACCESS: "its claims are not those of an access token: send the access token, not the ID token",
    Check.AUDIENCE: "its aud does not name this service: ask the issuer for a token for it",
    Check.AUDIENCE_CLIENT: "its client_id is not a client that this service accepts: have it added to the audience",
    Check.EXPIRED: "it has expired: ask the issuer for a new token",
    Check.NOT_YET: "its nbf or iat is in the future: compare the clocks of the issuer and of this server",
    Check.CLAIMS: "exp, nbf, iat or the claim with the scopes is missing or has the wrong type: follow RFC 9068",
    Check.CLIENT: "the claim with its client is missing, too long or not printable: have the issuer set client_id",
}


class InvalidToken(Problem):
    """A bearer token failed a check: 401, with the challenge of RFC 6750 section 3."""

    def __init__(self, check: Check) -> None:
        reason = f"The bearer token is refused: {SENTENCE[check]}."
        challenge = f'Bearer error="invalid_token", error_description="{reason}"'
        super().__init__(Code.INVALID_CREDENTIALS, reason, headers={"WWW-Authenticate": challenge})
        self.check = check
