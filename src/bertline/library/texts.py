"""Texts as a program gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertline.errors import UsageError


def checked_texts(texts: Iterable[Any], verb: str, *, pairs: bool = False) -> list[Any]:
    """The texts as a list.

    Args:
        texts: strings.
        verb: that takes them, for messages.
        pairs: pairs of strings too.

    Raises:
        UsageError: they are one string, or something else is among them.
    """
    if isinstance(texts, str):
        more = {"rank": ("query, ", ""), "similarity": ("", ", [other]"), "zero_shot": ("", ", labels")}
        before, after = more.get(verb, ("", ""))
        example = f"{verb}({before}[text]{after})"
        raise UsageError(f"{verb} takes a list of texts and was given one string: write {example}")
    given = list(texts)
    for place, one in enumerate(given):
        if not (isinstance(one, str) or (pairs and _is_pair(one))):
            raise UsageError(
                f"texts[{place}] is {str(one)[:40]!r} ({type(one).__name__}), and {verb} takes "
                f"{'strings and pairs of strings' if pairs else 'strings'}: leave it out or make it a string"
            )
    return given


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(one, str) for one in value)
