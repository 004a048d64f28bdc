"""Warnings in a response header of every dialect: ignored fields, texts without tokens.

Some servers reject unknown fields and some ignore them, and clients rely on either. If a dialect ignores a field, this
header names it. (HTTP's own ``Warning`` is obsolete: RFC 9111, section 5.5.)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice

HEADER = "X-Warning"
MOST = 8  # listed notes of one kind
LONGEST_NAME = 60

Notes = dict[str, dict[str, None]]  # by kind, unique and in order

_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)
enter, leave = _notes.set, _notes.reset


def note(kind: str, what: str) -> None:
    """Add a note to the response, once; ``kind`` begins the sentence, as in "ignored", and ``what`` ends it."""
    notes = _notes.get()
    if notes is not None:
        notes.setdefault(kind, {})[what] = None


def note_ignored(names: Iterable[str], known: Collection[str], at: str = "") -> None:
    """Note that these fields had no effect; ``known`` are suggestions, ``at`` is their place, as in "parameters."."""
    notes = _notes.get()
    if notes is None:
        return
    for name in names:
        # A body may have 100,000 unknown fields, and a suggestion for each would take seconds.
        meant = hint(name, known) if len(notes.get("ignored", ())) < MOST else ""
        note("ignored", f"{at}{shown(name)}{meant}")


def hint(name: str, known: Collection[str]) -> str:
    """A suggestion in brackets; empty if no known field is similar.

    >>> hint("max_lenght", ("top_k", "max_length"))
    ' (did you mean max_length?)'
    """
    near = _near(shown(name), tuple(known))
    return f" (did you mean {near}?)" if near else ""


@lru_cache(1024)  # a list of tensors may have the same field in each
def _near(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def shown(name: str) -> str:
    r"""A client's name for a header: ASCII, escaped and shortened.

    >>> shown("größe"), shown("a\r\nb")
    ('gr\\xf6\\xdfe', 'a\\r\\nb')
    """
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return ascii(short)[1:-1]


def header(notes: Notes) -> dict[str, str]:
    """The header with these notes; empty without notes."""
    parts = []
    for kind, same in notes.items():
        more = f" and {len(same) - MOST:,} more" if len(same) > MOST else ""
        parts.append(f"{kind}: {', '.join(islice(same, MOST))}{more}")
    return {HEADER: "; ".join(parts)} if parts else {}
