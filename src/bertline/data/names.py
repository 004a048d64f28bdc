"""When two names are one: labels, groups, values to break figures down by, and columns.

Keyboards, editors and spreadsheets spell one name in several ways that look alike. One rule for all of them: NFC
(Unicode Standard Annex 15), no characters that cannot be seen and mean nothing, every white space as a space, none
around. Case counts, and so do the joiners U+200C and U+200D, which change how a word of Persian or an emoji reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Soft hyphen, zero-width space, word joiner, byte order mark; marks and embeddings of direction.
INVISIBLE = "\u00ad\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_MEANT = str.maketrans(dict.fromkeys(INVISIBLE) | dict.fromkeys(SPACES, " "))


def canonical(name: str) -> str:
    r"""The one spelling of a name.

    >>> canonical(" cafe\u0301\u200b ") == canonical("caf\u00e9")
    True
    """
    if name.isascii():
        return name.strip()
    return unicodedata.normalize("NFC", name.translate(_MEANT)).strip()


def told_apart(spellings: Sequence[str]) -> list[str]:
    r"""Two or more spellings that look alike, with the code points where each differs from another.

    >>> told_apart(["caf\u00e9", "cafe\u0301", "café\u200b"])
    ["'caf<U+00E9>'", "'caf<U+0065 U+0301>'", "'café<U+200B>'"]
    """
    return [_against(one, spellings[0 if place else 1]) for place, one in enumerate(spellings)]


def _alike(name: str, other: str) -> int:
    return next(
        (place for place, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]),
        min(len(name), len(other)),
    )


def _against(name: str, other: str) -> str:
    start = _alike(name, other)
    end = _alike(name[start:][::-1], other[start:][::-1])
    middle = name[start : len(name) - end]
    points = f"<{' '.join(f'U+{ord(one):04X}' for one in middle)}>" if middle else ""
    return f"'{name[:start]}{points}{name[len(name) - end :]}'"
