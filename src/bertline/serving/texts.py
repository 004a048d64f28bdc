"""Checks of a request's texts before they are tokenised: number, length, valid Unicode; and blank texts after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bertline.serving.problems import Code, Problem
from bertline.serving.settings import CoreSettings
from bertline.text import Input, Reading, why_unread
from bertline.text.reading import texts_of

_HALF = re.compile("[\ud800-\udfff]")


Sides = tuple[str, str]
SIDES = ("{}.text", "{}.text_pair")  # names of the two texts of a pair; {} is the name of the pair


def check_texts(
    inputs: Sequence[Input],
    settings: CoreSettings,
    field: str,
    name_of: Callable[[int], str] | None = None,
    sides: Sides = SIDES,
) -> None:
    """Check that there are inputs but not too many, and that each text is valid Unicode and not too long.

    Only the tokenizer can tell whether a text is blank: see ``refuse_blank``.

    Args:
        inputs: of one request.
        settings: the limits.
        field: the request's name of the inputs.
        name_of: the request's name of the input at a place; default: ``place_of``.
        sides: names of the two texts of a pair; ``{}`` is the name of the pair.

    Raises:
        Problem: names the first fault.
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
    """The path in the request of one of an input's texts.

    >>> side_of("texts[1]", ("a", "b"), 1), side_of("texts[1]", "a", 0)
    ('texts[1].text_pair', 'texts[1]')
    """
    return name if isinstance(one, str) else sides[side].format(name)


def place_of(field: str, place: int, number: int) -> str:
    """The path of one text in the request: ``text`` or ``texts[3]``.

    >>> place_of("text", 0, 1), place_of("texts", 0, 1), place_of("input", 1, 2)
    ('text', 'texts[0]', 'input[1]')
    """
    return field if number == 1 and not field.endswith("s") else f"{field}[{place}]"


def refuse_blank(
    inputs: Sequence[Input], readings: Sequence[Reading], name_of: Callable[[int], str], sides: Sides = SIDES
) -> None:
    """Reject texts without tokens.

    Args:
        inputs: of one request.
        readings: of each.
        name_of: the request's name of the input at a place.
        sides: names of the two texts of a pair; ``{}`` is the name of the pair.

    Raises:
        Problem: names the first text without tokens.
    """
    for place, (one, reading) in enumerate(zip(inputs, readings, strict=True)):
        for side in reading.unread[:1]:
            raise blank(texts_of(one)[side], side_of(name_of(place), one, side, sides))


def blank(text: str, field: str) -> Problem:
    """The problem of a text without tokens."""
    return Problem(Code.EMPTY_TEXT, f"{field} {why_unread(text)}: send at least one word.", field)


def _check(text: str, field: str, max_chars: int) -> None:
    if len(text) > max_chars:
        raise Problem(
            Code.TEXT_TOO_LONG,
            f"{field} has {len(text):,} characters and the limit is {max_chars:,}: send a part of it.",
            field,
        )
    # JSON can contain half a surrogate pair, for example if a text was cut in the middle of an emoji.
    if not text.isascii() and (half := _HALF.search(text)):
        raise Problem(
            Code.INVALID_TEXT,
            f"{field} has half a surrogate pair at character {half.start()}: send whole characters.",
            field,
        )
