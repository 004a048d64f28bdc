"""What an answer says beside itself, in one header of every dialect: fields that had no effect, texts with no tokens.

Some servers refuse a field that they do not know and some ignore it, and clients rely on either. Where a dialect
ignores one, this header names it. (HTTP's own ``Warning`` is obsolete: RFC 9111, section 5.5.)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice

HEADER = "X-Warning"
MOST = 8  # notes of one kind that are spelled out
LONGEST_NAME = 60

Notes = dict[str, dict[str, None]]  # by kind, each once, in the order in which they came

_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)
enter, leave = _notes.set, _notes.reset


def note(kind: str, what: str) -> None:
    """Add to what the answer says, once each.

    Args:
        kind: begins the sentence, as in "ignored".
        what: ends it.
    """
    notes = _notes.get()
    if notes is not None:
        notes.setdefault(kind, {})[what] = None


def note_ignored(names: Iterable[str], known: Collection[str], at: str = "") -> None:
    """Say that these fields had no effect.

    Args:
        names: as the request has them.
        known: fields that it might have meant.
        at: where in the body they are, as in "parameters.".
    """
    notes = _notes.get()
    if notes is None:
        return
    for name in names:
        # A body may have 100,000 of them, and finding out what each was meant to be would take seconds.
        meant = hint(name, known) if len(notes.get("ignored", ())) < MOST else ""
        note("ignored", f"{at}{shown(name)}{meant}")


def hint(name: str, known: Collection[str]) -> str:
    """The field that was meant, as a question in brackets; nothing if none is near.

    >>> hint("max_lenght", ("top_k", "max_length"))
    ' (did you mean max_length?)'
    """
    near = _near(shown(name), tuple(known))
    return f" (did you mean {near}?)" if near else ""


@lru_cache(1024)  # a list of tensors may have the same field in each
def _near(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def shown(name: str) -> str:
    r"""A client's name for something, fit for a header: ASCII, without control characters, and not long.

    >>> shown("größe"), shown("a\r\nb")
    ('gr\\xf6\\xdfe', 'a\\r\\nb')
    """
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return ascii(short)[1:-1]


def header(notes: Notes) -> dict[str, str]:
    """The header of an answer with these notes; none if there are none."""
    parts = []
    for kind, those in notes.items():
        more = f" and {len(those) - MOST:,} more" if len(those) > MOST else ""
        parts.append(f"{kind}: {', '.join(islice(those, MOST))}{more}")
    return {HEADER: "; ".join(parts)} if parts else {}
