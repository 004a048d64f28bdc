"""Claims by name, nested ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = object()


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or ``ABSENT``. A dot descends into an object, unless it is part of a claim's own name.

    >>> claim({"realm_access": {"roles": ["predict"]}, "https://a.example/roles": []}, "realm_access.roles")
    ['predict']
    >>> claim({"https://a.example/roles": ["admin"]}, "https://a.example/roles")
    ['admin']
    """
    if name in claims:
        return claims[name]
    for place, letter in enumerate(name):
        inner = claims.get(name[:place]) if letter == "." else None
        if isinstance(inner, Mapping) and (value := claim(inner, name[place + 1 :])) is not ABSENT:
            return value
    return ABSENT


def first(claims: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of these claims that is present, whatever its type; ``ABSENT`` if none is."""
    return next((value for name in names if (value := claim(claims, name)) is not ABSENT), ABSENT)
