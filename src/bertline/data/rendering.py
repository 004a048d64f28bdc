"""How the text formats write a value: one rule for CSV, TSV and JSON lines, whatever format it came from.

Python's and JSON's own types are written as JSON has them. Types that only Parquet has arrive as ``Rendered``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal

from bertline.data.json_values import Real
from bertline.data.rows import NUL, Rendered, fault_of


class Unwritable(ValueError):
    """The format has no way to write a value; the text says what is wrong with it."""


def json_of(value: object) -> str:
    """A value as JSON. What JSON has no number for is a string: NaN, Infinity, -Infinity.

    >>> json_of({"a": [1, Real("1.10"), None], "b": Decimal("1.0"), "c": float("nan")})
    '{"a": [1, 1.10, null], "b": 1.0, "c": "NaN"}'

    Raises:
        Unwritable: a value that cannot be read, or is of a type that JSON lacks.
    """
    match value:
        case str():
            return _string(value)
        case None | bool():
            return json.dumps(value)
        case float() | Decimal():
            return number_of(value) if isinstance(value, Real) or math.isfinite(value) else f'"{number_of(value)}"'
        case int():
            return json.dumps(value)
        case Rendered():
            return _string(value.text)
        case list() | tuple():
            return f"[{', '.join(map(json_of, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{_string(key)}: {json_of(one)}' for key, one in value.items())}}}"
    raise Unwritable(fault_of(value))


def number_of(value: float | Decimal) -> str:
    """A number with all its digits.

    >>> number_of(Decimal("1E+3")), number_of(-math.inf), number_of(0.1)
    ('1000', '-Infinity', '0.1')
    """
    if isinstance(value, Real):
        return value.text
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return format(value, "f") if isinstance(value, Decimal) else repr(value)


def field_of(value: object) -> str:
    """A value as a field of CSV or TSV, not yet quoted; a null is empty.

    Raises:
        Unwritable: as ``json_of``; or the text has a NUL character, which no reader of CSV has to take.
    """
    match value:
        case None:
            return ""
        case str() | Rendered():
            return _plain(str(value))
        case float() | Decimal():
            return number_of(value)
    return json_of(value)


def _plain(text: str) -> str:
    if "\0" in text:
        raise Unwritable(NUL)
    _check_surrogates(text)
    return text


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=not _is_unicode(text))  # half of a surrogate pair stays an escape


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_surrogates(text: str) -> None:
    if not text.isascii() and not _is_unicode(text):
        raise Unwritable("half of a surrogate pair, which is not a character")
