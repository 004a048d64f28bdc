"""Where a changed text differs from the text: whole words, for people to see."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

Span = tuple[int, int]
_PARTS = re.compile(r"\S+")
LONGEST = 2_000  # words that are compared; of longer texts everything behind the common beginning is marked


def marked(before: str, after: str) -> tuple[list[Span], list[Span]]:
    """The characters of the words that differ, in the text and in the changed one.

    >>> marked("a good film", "a goood film")
    ([(2, 6)], [(2, 7)])
    >>> marked("a film", "a film https://example.com/a")
    ([], [(7, 28)])
    """
    own, other = [*_PARTS.finditer(before)], [*_PARTS.finditer(after)]
    words, others = ([one[0] for one in parts] for parts in (own, other))
    if max(len(own), len(other)) > LONGEST:
        pairs = enumerate(zip(words, others, strict=False))
        same = next((i for i, (a, b) in pairs if a != b), min(len(own), len(other)))
        changes = [(same, len(own), same, len(other))]
    else:
        opcodes = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
        changes = [(a, b, c, d) for kind, a, b, c, d in opcodes if kind != "equal"]
    return (
        [(own[a].start(), own[b - 1].end()) for a, b, _, _ in changes if b > a],
        [(other[c].start(), other[d - 1].end()) for _, _, c, d in changes if d > c],
    )
