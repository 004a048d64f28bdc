"""A strict parser for signed JWTs in compact form, without verification (RFC 7515, RFC 7519, RFC 8725).

It is stricter than the standards require: it rejects duplicate names in an object, NaN, and non-canonical base64url,
because two parsers could read them as two different tokens.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.keys import decoded

MAX_TOKEN_BYTES = 8 * 1024
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unverified:
    """The parts of an unverified token; the signature is over the bytes ``signed``."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def fits(token: str) -> bool:
    """Whether the token is ASCII and at most 8 KiB long."""
    return len(token) <= MAX_TOKEN_BYTES and token.isascii()


def read(token: str) -> Unverified:
    """Parse a token.

    Raises:
        InvalidToken: it is too large, has not three parts, or a part is not a JSON object in UTF-8.
    """
    parts = _COMPACT.fullmatch(token) if fits(token) else None
    if parts is None:
        raise InvalidToken(Check.STRUCTURE)
    try:
        header, claims, signature = (decoded(part) for part in parts.groups())
        return Unverified(_object(header), _object(claims), token[: parts.end(2)].encode("ascii"), signature)
    except (ValueError, RecursionError):
        raise InvalidToken(Check.STRUCTURE) from None


def _object(text: bytes) -> dict[str, Any]:
    value = _JSON.decode(text.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a name occurs twice")
    return value


def _reject_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_reject_constant)
