"""Parse JSON with the same rules for the lines of a table and the bodies of requests.

RFC 8259 lets each parser decide about byte order marks, repeated names, large numbers, lone surrogates and depth.
Here a mark is ignored, and anything else that would change or lose a value is an error, as in I-JSON (RFC 7493).
UTF-16 and UTF-32 are detected from the bytes, and ``charset`` is ignored (RFC 8259, section 11).
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import numpy as np

from bertline.data.json_values import Real, whole

DEEPEST = 100  # nesting of lists and objects; Python's own limit depends on its version and on the caller
SHOWN_NAME = 60  # characters of a name in a message

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OTHER = bytes(set(range(256)) - set(b"[]{}"))
_HALF = re.compile("[\ud800-\udfff]")

Path = tuple[str | int, ...]  # keys and indices, outermost first


class JsonFault(ValueError):
    """A fault, as a clause to follow "the body is not valid JSON:"; ``line`` and ``column`` count from 1.

    Both are None if the fault has no single place.
    """

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(what if line is None else f"{what} at line {line:,}, column {column:,}")
        self.what, self.line, self.column = what, line, column


class LoneSurrogate(JsonFault):
    """The string at ``path`` has a lone surrogate; ``character`` counts from 0 and is None for a key there."""

    def __init__(self, path: Path, character: int | None) -> None:
        super().__init__("half a surrogate pair")
        self.path, self.character = path, character


def decoded(body: bytes) -> str:
    r"""JSON as text, without a byte order mark.

    >>> decoded('\ufeff{"text": "a"}'.encode("utf-16-le"))
    '{"text": "a"}'

    Raises:
        JsonFault: the bytes cannot be decoded.
    """
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise JsonFault(f"it is not {name} at byte {error.start:,}") from None


def parse(text: str, *, table: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        text: without a byte order mark.
        table: accept any number, with its digits as written (``Real``), NaN and the infinities, which Python and pandas
            write for missing values, and lone surrogates: a fault concerns only readers of its column.

    >>> parse('{"top_k": 1, "top_k": 2}')
    Traceback (most recent call last):
    bertline.data.json_text.JsonFault: the name 'top_k' occurs twice in one object

    Raises:
        JsonFault: it is not JSON, is nested too deeply, repeats a key of an object, or (except in a table) has a number
            that neither a double nor a Python integer can hold.
        LoneSurrogate: a string has a lone surrogate (except in a table).
    """
    if (_many(text, "[") or _many(text, "{")) and _depth(text) > DEEPEST:
        raise JsonFault(f"lists and objects are nested more than {DEEPEST} deep")
    try:
        value = (_TABLE if table else _STRICT).decode(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise JsonFault("it is empty") from None
        what = error.msg.removesuffix(" at")
        raise JsonFault(what[:1].lower() + what[1:], error.lineno, error.colno) from None
    except JsonFault:
        raise
    except ValueError:  # from int(), whose time grows with the square of the digits
        raise JsonFault(f"a number has more than {sys.get_int_max_str_digits():,} digits") from None
    # Strictly decoded bytes can have a lone surrogate only as an escape, and searching the text is far faster.
    if not table and has_surrogates(text):
        for half in lone_surrogates(value):
            raise half
    return value


def has_surrogates(text: str) -> bool:
    """Whether a JSON text has escaped surrogates, paired or not."""
    return "\\" in text and ("\\ud" in text or "\\uD" in text)


def lone_surrogates(value: Any) -> Iterator[LoneSurrogate]:
    """Every lone surrogate in the strings and keys of a value."""
    return (LoneSurrogate(path, character) for path, character in _halves(value, ()))


def _many(text: str, bracket: str) -> bool:
    """Whether there are enough brackets to reach half the allowed depth; ``count`` is ten times slower."""
    place = -1
    for _ in range(DEEPEST // 2):
        place = text.find(bracket, place + 1)
        if place < 0:
            return False
    return True


def _depth(text: str) -> int:
    bare = _STRING.sub("", text).encode(errors="replace")
    brackets = np.frombuffer(bare.translate(None, _OTHER), dtype=np.uint8)
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    return int(np.where(opening, 1, -1).cumsum().max(initial=0))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise JsonFault(f"the name {twice[:SHOWN_NAME]!r} occurs twice in one object")
    return values


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonFault(f"the number {text[:20]} is too large")
    return value


def _no_number(name: str) -> NoReturn:
    raise JsonFault(f"{name} is not a JSON number")


_decoder = partial(json.JSONDecoder, object_pairs_hook=_object, parse_float=_float)
_STRICT = _decoder(parse_constant=_no_number)
_TABLE = _decoder(parse_float=Real, parse_int=whole, parse_constant=Real)


def _halves(value: Any, path: Path) -> Iterator[tuple[Path, int | None]]:
    """Path and character of each lone surrogate; for one in a key, the path of its object and None."""
    if isinstance(value, str):
        if not value.isascii() and (half := _HALF.search(value)):
            yield path, half.start()
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _halves(one, (*path, place))
    elif isinstance(value, dict):
        for key, one in value.items():
            if not key.isascii() and _HALF.search(key):
                yield path, None
            else:
                yield from _halves(one, (*path, key))
