"""The language of a text, by py3langid where it is installed (the extra ``language``)."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _identifier() -> Any:
    try:
        import py3langid
    except ImportError:
        return None
    return py3langid


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the most probable language; None where languages cannot be told."""
    identifier = _identifier()
    return None if identifier is None else str(identifier.classify(text)[0])


def identifies() -> bool:
    """Whether languages can be told here."""
    return _identifier() is not None
