"""Values of JSON lines that preserve what Python's types would lose: a number's digits and the line's text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

LONGEST_INTEGER = 4_300  # digits; converting longer ones takes time that grows with the square (``int``)
SURELY_EXACT = 16  # characters: at most 15 digits and a point, which any double gives back (C's DBL_DIG)


class Real(float):
    """A number with its digits as written, even if a double cannot represent them.

    >>> Real("1e400").text, Real("1.10").text, Real("1.10") == 1.1
    ('1e400', '1.10', True)
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Real:
        """Parse a JSON number, NaN, Infinity or -Infinity."""
        value = super().__new__(cls, text)
        value.text = text
        return value

    def exact(self) -> Decimal | None:
        """The exact number, or None if it is not finite or its exponent has thousands of digits."""
        try:
            number = Decimal(self.text)
        except InvalidOperation:
            return None
        return number if number.is_finite() else None

    def is_double(self) -> bool:
        """Whether a double preserves the digits; NaN and the infinities count as doubles.

        >>> [Real(text).is_double() for text in ("0.1", "1.10", "0.1000000000000000055", "1e400", "NaN")]
        [True, True, False, False, True]
        """
        if len(self.text) <= SURELY_EXACT and self.text.lstrip("-").replace(".", "", 1).isdigit():
            return True
        number = self.exact()
        return number == Decimal(repr(float(self))) if number is not None else self.text.lstrip("-").isalpha()


def whole(text: str) -> int | Real:
    """An integer; -0 and integers of thousands of digits become a ``Real``."""
    return Real(text) if text == "-0" or len(text) > LONGEST_INTEGER else int(text)


class JsonObject(dict[str, object]):
    """The object of one line, with the line's text, so that JSON lines can pass it on unchanged."""

    __slots__ = ("text",)

    def __init__(self, values: Mapping[str, object], text: str) -> None:
        super().__init__(values)
        self.text = text
