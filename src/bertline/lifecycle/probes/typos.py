"""Typing errors: one letter of one word.

Only words of five letters and more are changed, never their first or last letter, and never a word that negates; and
the result is no word that the model's vocabulary has whole. So a reader still reads the same word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bertline.lifecycle.probes.change import NEGATIONS, WORD, Change, Draw, each

LEAST_LETTERS = 5
TRIES = 20
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+\Z")
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a keyboard
NEIGHBOURS = {
    key: "".join(row[place] for place in (at - 1, at + 1) if 0 <= place < len(row))
    for row in ROWS
    for at, key in enumerate(row)
}


def neighbouring_key(word: str, draw: Draw) -> str:
    """A letter replaced by the one beside it on a keyboard; the word itself if there is none."""
    places = [at for at in range(1, len(word) - 1) if word[at].lower() in NEIGHBOURS]
    if not places:
        return word
    at = draw.random.choice(places)
    key = draw.random.choice(NEIGHBOURS[word[at].lower()])
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


def swapped(word: str, draw: Draw) -> str:
    """Two letters that follow each other, exchanged."""
    places = [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]]
    if not places:
        return word
    at = draw.random.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def missing(word: str, draw: Draw) -> str:
    """One letter less."""
    at = draw.random.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def typo(change: Callable[[str, Draw], str]) -> Change:
    """A change of one word of each text."""

    def of_text(text: str, draw: Draw) -> str | None:
        words = [*_words(text)]
        for _ in range(TRIES if words else 0):
            match = draw.random.choice(words)
            after = change(match[0], draw)
            if after != match[0] and not draw.known(after):
                return text[: match.start()] + after + text[match.end() :]
        return None

    return each(of_text)


def _words(text: str) -> Iterator[re.Match[str]]:
    """Those that may be changed; nothing of an address or a handle."""
    for match in WORD.finditer(text):
        word, before, after = match[0], text[: match.start()][-1:], text[match.end() :][:1]
        if len(word) < LEAST_LETTERS or not LATIN.match(word) or word.lower() in NEGATIONS:
            continue
        if not (before and before in "@#/.:-_&") and not (after and after in "/:_@"):
            yield match
