"""What an answer says beside itself, in one header of every dialect: fields that had no effect, texts with no tokens.

Some servers refuse a field that they do not know and some ignore it, and clients rely on either. Where a dialect
ignores one, this header names it. (HTTP's own ``Warning`` is obsolete: RFC 9111, section 5.5.)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from contextvars import ContextVar

HEADER = "X-Warning"
MOST = 8  # notes of one kind that are spelled out
LONGEST_NAME = 60

_notes: ContextVar[dict[str, list[str]] | None] = ContextVar("notes", default=None)
enter, leave = _notes.set, _notes.reset


def note(kind: str, what: str) -> None:
    """Add to what the answer says, once each.

    Args:
        kind: begins the sentence, as in "ignored".
        what: ends it.
    """
    notes = _notes.get()
    if notes is not None and what not in notes.setdefault(kind, []):
        notes[kind].append(what)


def note_ignored(names: Iterable[str], known: Collection[str], at: str = "") -> None:
    """Say that these fields had no effect.

    Args:
        names: as the request has them.
        known: fields that it might have meant.
        at: where in the body they are, as in "parameters.".
    """
    for name in names:
        note("ignored", f"{at}{shown(name)}{hint(name, known)}")


def hint(name: str, known: Collection[str]) -> str:
    """The field that was meant, as a question in brackets; nothing if none is near.

    >>> hint("max_lenght", ("top_k", "max_length"))
    ' (did you mean max_length?)'
    """
    near = difflib.get_close_matches(shown(name), known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shown(name: str) -> str:
    r"""A client's name for something, fit for a header: ASCII, without control characters, and not long.

    >>> shown("größe"), shown("a\r\nb")
    ('gr\\xf6\\xdfe', 'a\\r\\nb')
    """
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return ascii(short)[1:-1]


def header(notes: dict[str, list[str]]) -> dict[str, str]:
    """The header of an answer with these notes; none if there are none."""
    parts = []
    for kind, those in notes.items():
        more = f" and {len(those) - MOST:,} more" if len(those) > MOST else ""
        parts.append(f"{kind}: {', '.join(those[:MOST])}{more}")
    return {HEADER: "; ".join(parts)} if parts else {}
