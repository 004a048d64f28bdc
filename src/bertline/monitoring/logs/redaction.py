"""What is taken out of a text before it is logged.

Patterns find what has the form of an address or a number. They do not find names, and a text without any of these may
still be private: that is why no text is logged unless somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bertline.monitoring.logs.settings import ALL_KINDS, RedactedKind

LONGEST_TEXT = 500  # characters of a text that are logged
MOST_TEXTS = 3  # of a request

# Every repetition is bounded or cannot overlap what follows it, so that no text takes long.
_PATTERNS: Mapping[RedactedKind, tuple[re.Pattern[str], str]] = {
    "url": (re.compile(r"(https?://)(?:[^\s/@?#]{1,256}@)?([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE), r"\1\2"),
    "email": (re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"), "[email]"),
    "phone": (re.compile(r"(?:\+|\b00|\(0|\b0)\d(?:[ ()./-]{0,3}\d){5,14}(?!\d)"), "[phone]"),
    "number": (re.compile(r"\d(?:[ .-]?\d){5,}"), "[number]"),
}


def redacted(text: str, kinds: Sequence[RedactedKind] = ALL_KINDS) -> str:
    """The text without what has the form of these kinds, at most ``LONGEST_TEXT`` characters of it.

    >>> redacted("mail ann@example.org, card 4111 1111 1111 1111, https://a.org/x?token=1")
    'mail [email], card [number], https://a.org/x'
    """
    # Twice what is shown: what is cut in two at the end would not be recognised.
    found = text[: 2 * LONGEST_TEXT]
    for kind in ALL_KINDS:  # in this order: a URL has addresses in it, a telephone number is a number
        if kind in kinds:
            pattern, instead = _PATTERNS[kind]
            found = pattern.sub(instead, found)
    return found if len(found) <= LONGEST_TEXT and len(text) <= 2 * LONGEST_TEXT else f"{found[:LONGEST_TEXT]}…"
