"""What a client says when it asks for a token (RFC 6749 sections 2.3.1, 3.2 and 4.4.2), without HTTP around it.

Authlib has a framework for this. It is not used here because it answers 400 where a client could not be authenticated
by its body, says whether a client exists, quotes what was sent, and writes issued tokens to its debug log.
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
    """Who asks, and for what.

    Attributes:
        client_id: as it was sent.
        client_secret: as it was sent.
        grant_type: as it was sent.
        scopes: None is all that the client may have.
    """

    client_id: str
    client_secret: str = field(repr=False)
    grant_type: str
    scopes: tuple[str, ...] | None


def token_request(content_type: str, authorization: str | None, body: bytes) -> TokenRequest:
    """The request in these headers and this body.

    Raises:
        Problem: it is malformed, or says nothing of who asks.
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
    """The form; what has no value counts as left out (section 3.2)."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Problem(Code.WRONG_TYPE, f"The body is no form of at most {MAX_FIELDS} fields in UTF-8.") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Problem(Code.CONFLICTING_FIELDS, "A field was sent twice: send each once.")
    return {name: value for name, value in fields.items() if value}


def _client(authorization: str | None, fields: dict[str, str]) -> tuple[str, str]:
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        if "client_id" not in fields or "client_secret" not in fields:
            raise _unknown("Send the client's id and secret, by HTTP Basic or as client_id and client_secret.")
        return fields["client_id"], fields["client_secret"]
    if "client_secret" in fields:
        raise Problem(Code.CONFLICTING_FIELDS, "The client's secret was sent by HTTP Basic and in the body: send one.")
    try:
        id, colon, secret = base64.b64decode(rest.strip(), validate=True).decode("ascii").partition(":")
        id, secret = unquote_plus(id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _unknown("The header Authorization cannot be read as HTTP Basic.") from None
    if not colon or not id or not secret:
        raise _unknown("HTTP Basic without an id or without a secret: send both, with a colon between.")
    if fields.get("client_id", id) != id:
        raise Problem(Code.CONFLICTING_FIELDS, "client_id is not the one of HTTP Basic: leave it out.", "client_id")
    return id, secret


def _unknown(message: str) -> Problem:
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": 'Basic realm="bertline"'})
