"""Claims by the names that settings give them, nested ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = object()


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or ``ABSENT``. A dot leads into an object, unless a claim has the dot in its own name.

    >>> claim({"realm_access": {"roles": ["predict"]}, "https://a.example/roles": []}, "realm_access.roles")
    ['predict']
    >>> claim({"https://a.example/roles": ["admin"]}, "https://a.example/roles")
    ['admin']
    """
    if name in claims:
        return claims[name]
    for place, letter in enumerate(name):
        inner = claims.get(name[:place]) if letter == "." else None
        if isinstance(inner, Mapping):
            found = claim(inner, name[place + 1 :])
            if found is not ABSENT:
                return found
    return ABSENT


def first(claims: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of these claims that is there, whatever it is; ``ABSENT`` if none is."""
    return next((found for name in names if (found := claim(claims, name)) is not ABSENT), ABSENT)
