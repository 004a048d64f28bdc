"""What a text must be before anything reads it, and how many of them one request may bring."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bertline.serving.problems import Code, Problem
from bertline.serving.settings import CoreSettings
from bertline.text import Reading, why_unread

_HALF = re.compile("[\ud800-\udfff]")


def check_texts(texts: Sequence[str], settings: CoreSettings, field: str) -> None:
    """There are texts and not too many, and each is not too long and is Unicode.

    Whether a text has anything to read is for the tokenizer to say: ``refuse_blank``.

    Args:
        texts: of one request.
        settings: the limits.
        field: what the request calls them.

    Raises:
        Problem: the first thing that is wrong.
    """
    if not texts:
        raise Problem(Code.EMPTY_TEXT, f"{field} is an empty list: send at least one text.", field)
    if len(texts) > settings.max_batch_texts:
        raise Problem(
            Code.TOO_MANY_TEXTS,
            f"{field} has {len(texts):,} texts and the limit is {settings.max_batch_texts:,}: "
            "send them in several requests.",
            field,
        )
    for place, text in enumerate(texts):
        _check(text, place_of(field, place, len(texts)), settings.max_chars)


def place_of(field: str, place: int, number: int) -> str:
    """What the request calls one of its texts: a field that is no plural and has one text has it as it is.

    >>> place_of("text", 0, 1), place_of("texts", 0, 1), place_of("input", 1, 2)
    ('text', 'texts[0]', 'input[1]')
    """
    return field if number == 1 and not field.endswith("s") else f"{field}[{place}]"


def refuse_blank(texts: Sequence[str], readings: Sequence[Reading], name_of: Callable[[int], str]) -> None:
    """Raise the problem of the first text of which no token is left.

    Args:
        texts: of one request.
        readings: of each.
        name_of: what the request calls the text at a place.
    """
    for place, (text, reading) in enumerate(zip(texts, readings, strict=True)):
        if reading.unread:
            raise blank(text, name_of(place))


def blank(text: str, field: str) -> Problem:
    """What a request is told of a text of which no token is left."""
    return Problem(Code.EMPTY_TEXT, f"{field} {why_unread(text)}: send at least one word.", field)


def _check(text: str, field: str, max_chars: int) -> None:
    if len(text) > max_chars:
        raise Problem(
            Code.TEXT_TOO_LONG,
            f"{field} has {len(text):,} characters and the limit is {max_chars:,}: send a part of it.",
            field,
        )
    # JSON can escape half of a surrogate pair, as when a text is cut in the middle of an emoji.
    if not text.isascii() and (half := _HALF.search(text)):
        raise Problem(
            Code.INVALID_TEXT,
            f"{field} has half a surrogate pair at character {half.start()}: send whole characters.",
            field,
        )
