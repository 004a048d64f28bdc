"""Parses a token request (RFC 6749 sections 2.3.1, 3.2 and 4.4.2) from its headers and body.

Authlib has a framework for this. It is not used because it answers 400 to a client that fails to authenticate by its
body, reveals whether a client exists, quotes the request, and writes issued tokens to its debug log.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from bertline.serving.problems import Code, Problem

MAX_FIELDS = 32
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A parsed, unverified token request."""

    client_id: str
    client_secret: str = field(repr=False)
    grant_type: str
    scopes: tuple[str, ...] | None  # None: all that the client may have


def token_request(content_type: str, authorization: str | None, body: bytes) -> TokenRequest:
    """Parse a request.

    Raises:
        Problem: it is malformed, or has no client credentials.
    """
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise Problem(Code.WRONG_TYPE, f"Send the body as a form, with the header Content-Type: {FORM}.")
    fields = _fields(body)
    if "grant_type" not in fields:
        raise Problem(Code.MISSING_FIELD, "grant_type is missing: send grant_type=client_credentials.", "grant_type")
    client_id, secret = _client(authorization, fields)
    scope = fields.get("scope")
    return TokenRequest(client_id, secret, fields["grant_type"], None if scope is None else tuple(scope.split()))


def _fields(body: bytes) -> dict[str, str]:
    """The fields of the form; empty ones count as missing (section 3.2)."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        message = f"The body is not a form of at most {MAX_FIELDS} fields in UTF-8: send it percent-encoded."
        raise Problem(Code.WRONG_TYPE, message) from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Problem(Code.CONFLICTING_FIELDS, "A field was sent twice: send each once.")
    return {name: value for name, value in fields.items() if value}


def _client(authorization: str | None, fields: dict[str, str]) -> tuple[str, str]:
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        if "client_id" not in fields or "client_secret" not in fields:
            raise _unknown("Client credentials are missing: send them by HTTP Basic or as client_id and client_secret.")
        return fields["client_id"], fields["client_secret"]
    if "client_secret" in fields:
        raise Problem(Code.CONFLICTING_FIELDS, "The client secret is in HTTP Basic and in the body: send it once.")
    try:
        id, colon, secret = base64.b64decode(rest.strip(), validate=True).decode("ascii").partition(":")
        id, secret = unquote_plus(id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _unknown(
            "The header Authorization is not valid HTTP Basic: encode id and secret as RFC 7617 says."
        ) from None
    if not colon or not id or not secret:
        raise _unknown("HTTP Basic lacks the id or the secret: send both, separated by a colon.")
    if fields.get("client_id", id) != id:
        raise Problem(Code.CONFLICTING_FIELDS, "client_id differs from HTTP Basic: leave it out.", "client_id")
    return id, secret


def _unknown(message: str) -> Problem:
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": 'Basic realm="bertline"'})
