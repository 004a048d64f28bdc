"""Lists of labels that are written as text, as cells of CSV have them."""

from __future__ import annotations

import re

from bertline.data.json_text import JsonFault, parse

# pandas writes a list into CSV as Python shows it, and an array without commas.
_SHOWN_BY_PYTHON = re.compile(r"\s*\[\s*'.*'\s*,?\s*\]\s*", re.DOTALL)


def list_in(text: str) -> list[object] | None:
    """The JSON list that a text is, or None.

    >>> list_in('["late", 3]'), list_in("[late]"), list_in("late")
    (['late', 3], None, None)
    """
    if not text.lstrip().startswith("["):
        return None
    try:
        value: object = parse(text)
    except JsonFault:
        return None
    return value if isinstance(value, list) else None


def is_list(value: object) -> bool:
    """Whether a value is a list, or a text that is one in JSON."""
    return isinstance(value, list | tuple) or (isinstance(value, str) and list_in(value) is not None)


def shown_by_python(value: object) -> bool:
    """Whether a value is a text that shows a list in single quotes, which is not JSON.

    >>> shown_by_python("['late', 'lost']"), shown_by_python("[late]")
    (True, False)
    """
    return isinstance(value, str) and _SHOWN_BY_PYTHON.fullmatch(value) is not None
