"""Redacts texts before they are logged or kept.

The patterns match addresses and numbers, but not names, and other parts of a text may be private too. That is why texts
are only logged on request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bertline.monitoring.logs.settings import ALL_KINDS, RedactedKind

LONGEST_TEXT = 500  # logged characters
MOST_TEXTS = 3  # per request

# Every repetition is bounded or cannot overlap the next part, so matching is linear.
_PATTERNS: Mapping[RedactedKind, tuple[re.Pattern[str], str]] = {
    "url": (re.compile(r"(https?://)(?:[^\s/@?#]{1,256}@)?([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE), r"\1\2"),
    "email": (re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"), "[email]"),
    "phone": (re.compile(r"(?:\+|\b00|\(0|\b0)\d(?:[ ()./-]{0,3}\d){5,14}(?!\d)"), "[phone]"),
    "number": (re.compile(r"\d(?:[ .-]?\d){5,}"), "[number]"),
}


def redacted_whole(text: str, kinds: Sequence[RedactedKind] = ALL_KINDS) -> str:
    """The whole text with these kinds redacted.

    >>> redacted_whole("call +49 30 1234567 or mail ann@example.org")
    'call [phone] or mail [email]'
    """
    for kind in ALL_KINDS:  # in this order: URLs contain addresses, and telephone numbers are numbers
        if kind in kinds:
            pattern, replacement = _PATTERNS[kind]
            text = pattern.sub(replacement, text)
    return text


def redacted(text: str, kinds: Sequence[RedactedKind] = ALL_KINDS) -> str:
    """The text with these kinds redacted, at most ``LONGEST_TEXT`` characters long.

    >>> redacted("mail ann@example.org, card 4111 1111 1111 1111, https://a.org/x?token=1")
    'mail [email], card [number], https://a.org/x'
    """
    # Twice the shown length, so that a match at the cut is still recognised.
    result = redacted_whole(text[: 2 * LONGEST_TEXT], kinds)
    return result if len(result) <= LONGEST_TEXT and len(text) <= 2 * LONGEST_TEXT else f"{result[:LONGEST_TEXT]}…"
