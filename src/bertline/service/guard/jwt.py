"""The compact form of a signed JWT, read strictly and not yet believed (RFC 7515, RFC 7519, RFC 8725).

Stricter than the standards ask: a name that occurs twice in an object, NaN, and a second spelling of the same bytes
are refused, because two readers could take them for two different tokens.
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
    """The parts of a token before anything in it was checked.

    Attributes:
        header, claims: as somebody wrote them.
        signed: the bytes that the signature is over.
    """

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def fits(token: str) -> bool:
    """Whether it is worth looking at: ASCII, and at most 8 KiB of it."""
    return len(token) <= MAX_TOKEN_BYTES and token.isascii()


def read(token: str) -> Unverified:
    """Take a token apart.

    Raises:
        InvalidToken: it is too large, not of three parts, or its parts are not JSON objects in UTF-8.
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


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a name occurs twice")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
