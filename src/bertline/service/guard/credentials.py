"""Secrets that people copy, API keys and client secrets: how they look, and what is kept of them.

A credential is ``PREFIX_ID_SECRETCHECK``. The id is public: lists, logs and limits name it. The secret has 256 random
bits. The checksum tells a typo from a wrong secret without asking the database, and secret scanners a credential from
a word that looks like one. All characters but the separator are letters and digits, so that a double click takes the
whole.

Kept are the id and the SHA-256 of the text. A slow hash (Argon2, bcrypt) makes up for secrets that people choose and
others guess; nobody guesses 256 random bits, and a slow hash would only cost each request milliseconds.
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
_NOBODYS = "0" * 64  # in the place of the hash that an unknown id does not have


@dataclass(frozen=True, slots=True)
class Credential:
    """A new one, the only time that its text is known.

    Attributes:
        id: public name, ``bl_3fK9x2Qa``.
        text: what its owner keeps secret; begins with the id.
    """

    id: str
    text: str = field(repr=False)


def new(prefix: str) -> Credential:
    """One that nobody has seen before; ``prefix`` is ``API_KEY`` or ``CLIENT``."""
    id = f"{prefix}_{_random(ID_CHARS)}"
    body = f"{id}_{_random(SECRET_CHARS)}"
    return Credential(id, body + _check(body))


def id_of(text: str, prefix: str) -> str | None:
    """The id in a credential, or None if it is none of this kind: of another shape, mistyped or cut short."""
    found = PATTERN.fullmatch(text)
    if found is None or found[1] != prefix or _check(text[:-CHECK_CHARS]) != text[-CHECK_CHARS:]:
        return None
    return f"{prefix}_{found[2]}"


def is_id(text: str, prefix: str) -> bool:
    """Whether a credential could have this id."""
    return re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{{ID_CHARS}}}", text) is not None


def digest(text: str) -> str:
    """What is kept of a credential."""
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, kept: str | None) -> bool:
    """Whether ``kept`` is what was kept of this credential. Takes as long when there is nothing (None)."""
    same = hmac.compare_digest(digest(text), _NOBODYS if kept is None else kept)
    return same and kept is not None


def _random(chars: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(chars))


def _check(body: str) -> str:
    """CRC-32 in base 62."""
    rest, found = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_CHARS):
        rest, place = divmod(rest, len(ALPHABET))
        found += ALPHABET[place]
    return found
