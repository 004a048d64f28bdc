"""What a text must be before anything reads it, and how many of them one request may bring."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bertline.serving.problems import Code, Problem
from bertline.serving.settings import CoreSettings
from bertline.text import Input, Reading, why_unread
from bertline.text.reading import texts_of

_HALF = re.compile("[\ud800-\udfff]")


Sides = tuple[str, str]
SIDES = (".text", ".text_pair")  # of a pair, after its own name


def check_texts(
    inputs: Sequence[Input],
    settings: CoreSettings,
    field: str,
    name_of: Callable[[int], str] | None = None,
    sides: Sides = SIDES,
) -> None:
    """There are inputs and not too many, and each text is not too long and is Unicode.

    Whether a text has anything to read is for the tokenizer to say: ``refuse_blank``.

    Args:
        inputs: of one request.
        settings: the limits.
        field: what the request calls them.
        name_of: what it calls the one at a place; by default as ``place_of`` says.
        sides: what it calls the texts of a pair, after the pair's own name.

    Raises:
        Problem: the first thing that is wrong.
    """
    if not inputs:
        raise Problem(Code.EMPTY_TEXT, f"{field} is an empty list: send at least one text.", field)
    if len(inputs) > settings.max_batch_texts:
        what = "texts" if isinstance(inputs[0], str) else "pairs"
        raise Problem(
            Code.TOO_MANY_TEXTS,
            f"{field} has {len(inputs):,} {what} and the limit is {settings.max_batch_texts:,}: "
            "send them in several requests.",
            field,
        )
    for place, one in enumerate(inputs):
        name = place_of(field, place, len(inputs)) if name_of is None else name_of(place)
        for side, text in enumerate(texts_of(one)):
            _check(text, side_of(name, one, side, sides), settings.max_chars)


def side_of(name: str, one: Input, side: int, sides: Sides = SIDES) -> str:
    """What a request calls one of an input's texts.

    >>> side_of("texts[1]", ("a", "b"), 1), side_of("texts[1]", "a", 0)
    ('texts[1].text_pair', 'texts[1]')
    """
    return name if isinstance(one, str) else f"{name}{sides[side]}"


def place_of(field: str, place: int, number: int) -> str:
    """What the request calls one of its texts: a field that is no plural and has one text has it as it is.

    >>> place_of("text", 0, 1), place_of("texts", 0, 1), place_of("input", 1, 2)
    ('text', 'texts[0]', 'input[1]')
    """
    return field if number == 1 and not field.endswith("s") else f"{field}[{place}]"


def refuse_blank(
    inputs: Sequence[Input], readings: Sequence[Reading], name_of: Callable[[int], str], sides: Sides = SIDES
) -> None:
    """Raise the problem of the first text of which no token is left.

    Args:
        inputs: of one request.
        readings: of each.
        name_of: what the request calls the input at a place.
        sides: what it calls the texts of a pair, after the pair's own name.
    """
    for place, (one, reading) in enumerate(zip(inputs, readings, strict=True)):
        for side in reading.unread[:1]:
            raise blank(texts_of(one)[side], side_of(name_of(place), one, side, sides))


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
