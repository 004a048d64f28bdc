"""The format of API keys and client secrets, and their hashes.

A credential is ``PREFIX_ID_SECRETCHECK``. The id is public: lists, logs and limits show it. The secret has 256 random
bits. The checksum distinguishes a typo from a wrong secret without a database query, and helps secret scanners. All
characters but the separator are letters and digits, so a double click selects the whole.

The database stores the id and the SHA-256 of the text. A slow hash (Argon2, bcrypt) protects passwords that can be
guessed; 256 random bits cannot, and a slow hash would cost each request milliseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

API_KEY = "bl"
CLIENT = "blc"

ALPHABET = string.digits + string.ascii_letters
ID_CHARS = 8
SECRET_CHARS = 43  # of 62 kinds: log2(62) * 43 = 256.03 bits
CHECK_CHARS = 6  # 62**6 > 2**32
PATTERN = re.compile(rf"([a-z]+)_([0-9A-Za-z]{{{ID_CHARS}}})_[0-9A-Za-z]{{{SECRET_CHARS + CHECK_CHARS}}}")
_NO_HASH = "0" * 64  # compared for an unknown id


@dataclass(frozen=True, slots=True)
class Credential:
    """A new credential: its public id, ``bl_3fK9x2Qa``, and its text, which begins with the id."""

    id: str
    text: str = field(repr=False)


def new(prefix: str) -> Credential:
    """A random credential; ``prefix`` is ``API_KEY`` or ``CLIENT``."""
    id = f"{prefix}_{_random(ID_CHARS)}"
    body = f"{id}_{_random(SECRET_CHARS)}"
    return Credential(id, body + _check(body))


def id_of(text: str, prefix: str) -> str | None:
    """The id of a credential; None if the text has another format, is mistyped or cut short."""
    match = PATTERN.fullmatch(text)
    if match is None or match[1] != prefix or _check(text[:-CHECK_CHARS]) != text[-CHECK_CHARS:]:
        return None
    return f"{prefix}_{match[2]}"


def is_id(text: str, prefix: str) -> bool:
    """Whether the text has the format of an id."""
    return re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{{ID_CHARS}}}", text) is not None


def digest(text: str) -> str:
    """The stored hash of a credential."""
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, stored: str | None) -> bool:
    """Whether a credential has the stored hash; takes equally long without one."""
    is_same = hmac.compare_digest(digest(text), _NO_HASH if stored is None else stored)
    return is_same and stored is not None


def _random(chars: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(chars))


def _check(body: str) -> str:
    """CRC-32 in base 62."""
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_CHARS):
        rest, place = divmod(rest, len(ALPHABET))
        check += ALPHABET[place]
    return check
