"""Which check a bearer token failed, and the one answer for each.

The sentences are constants: nothing of a token is ever repeated, neither to its sender nor to a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bertline.serving.problems import Code, Problem


class Check(StrEnum):
    """The check that a token failed, for programs and metrics."""

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
    Check.STRUCTURE: "it is not a signed JWT in the compact form of at most 8 KiB: send it as the issuer gave it",
    Check.TYPE: "its typ is not that of an access token: ask the issuer for an access token, not for an ID token",
    Check.ALGORITHM: "its alg is not one that is accepted here: have the issuer sign with one that is",
    Check.HEADER: "its header has crit, a key, a certificate or an address of one: leave those out",
    Check.ISSUER: "its iss is not an issuer that is trusted here: ask the right one",
    Check.KEY: "its kid is not that of a key which the issuer uses for its alg: ask the issuer for a new token",
    Check.SIGNATURE: "its signature does not match: ask the issuer for a new token",
    Check.ACCESS: "its claims are not those of an access token: send the access token, not the ID token",
    Check.AUDIENCE: "its aud does not name this service: ask the issuer for a token for it",
    Check.AUDIENCE_CLIENT: "its client_id is not a client that this service accepts: have it added to the audience",
    Check.EXPIRED: "it has expired: ask the issuer for a new token",
    Check.NOT_YET: "its nbf or iat is in the future: compare the clocks of the issuer and of this server",
    Check.CLAIMS: "a claim is missing or of the wrong type among exp, nbf, iat and those of scopes: RFC 9068 has them",
    Check.CLIENT: "the claim with its client is missing, too long or not printable: have the issuer set client_id",
}


class InvalidToken(Problem):
    """A bearer token that is refused: 401, with the challenge of RFC 6750 section 3.

    Attributes:
        check: the one it failed.
    """

    def __init__(self, check: Check) -> None:
        reason = f"The bearer token is refused: {SENTENCE[check]}."
        challenge = f'Bearer error="invalid_token", error_description="{reason}"'
        super().__init__(Code.INVALID_CREDENTIALS, reason, headers={"WWW-Authenticate": challenge})
        self.check = check
