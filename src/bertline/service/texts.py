"""What a text must be before anything reads it, and how many of them one request may bring."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bertline.service.problems import Code, Problem
from bertline.service.settings import ServeSettings

_HALF = re.compile("[\ud800-\udfff]")


def check_texts(texts: Sequence[str], settings: ServeSettings, field: str) -> None:
    """Every text has a word, is not too long, and is Unicode.

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
    alone = len(texts) == 1 and not field.endswith("s")  # {"text": "…"} and not {"texts": ["…"]}
    for index, text in enumerate(texts):
        _check(text, field if alone else f"{field}[{index}]", settings.max_chars)


def _check(text: str, field: str, max_chars: int) -> None:
    if not text or text.isspace():
        kind = "only white space" if text else "empty"
        raise Problem(Code.EMPTY_TEXT, f"{field} is {kind}: send at least one word.", field)
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
