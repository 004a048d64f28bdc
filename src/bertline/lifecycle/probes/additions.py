"""What stands beside a text and says nothing about it: an address, a handle, a clause."""

from __future__ import annotations

import string

from bertline.lifecycle.probes.change import Draw

SIGNS = string.ascii_letters + string.digits
CLAUSES = ("That is all I wanted to say.", "I wanted to write this down.", "More on this another time.")


def address(text: str, draw: Draw) -> str:
    """With an address at its end; the host is reserved for examples (RFC 2606)."""
    return f"{text.rstrip()} https://example.com/{_signs(draw, 6)}"


def handle(text: str, draw: Draw) -> str:
    """To somebody."""
    return f"@{_signs(draw, 6)} {text.lstrip()}"


def clause(text: str, draw: Draw) -> str:
    """With a sentence that has no opinion and no topic."""
    return f"{ended(text)} {draw.random.choice(CLAUSES)}"


def ended(text: str) -> str:
    """The text with a mark at its end.

    >>> ended("Good film "), ended("Good film!")
    ('Good film.', 'Good film!')
    """
    stripped = text.rstrip()
    return stripped if stripped.endswith((".", "!", "?", "…", '"', "”")) else f"{stripped}."


def _signs(draw: Draw, number: int) -> str:
    return "".join(draw.random.choices(SIGNS, k=number))
