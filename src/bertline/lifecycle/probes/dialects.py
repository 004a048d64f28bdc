"""Grammar of other kinds of English, in which a sentence means the same.

None of them is faulty English: each is a regular feature of a variety that many people speak, and a model that answers
them otherwise serves these people worse. Sources: Green 2002, "African American English: a linguistic introduction";
eWAVE 3.0 (Kortmann, Lunkenheimer and Ehret 2020), whose features 154 (negative concord), 155 and 156 (ain't) and 88
(progressive of stative verbs, frequent in Indian English) these are; Ziems et al. 2023, "Multi-VALUE", which shows how
much models lose on them. Only what a rule without a parser gets right is here, so they change few texts.
"""

from __future__ import annotations

import re

from bertline.lifecycle.probes.change import Draw, like

ANY = {
    "anything": "nothing", "anybody": "nobody", "anyone": "no one", "anywhere": "nowhere", "any": "no", "ever": "never",
}  # fmt: skip
STATIVE = {
    "know": "knowing", "like": "liking", "love": "loving", "hate": "hating", "want": "wanting",
    "understand": "understanding", "believe": "believing", "need": "needing",
}  # fmt: skip
_NO_QUESTION = r"(?!\s+(?:i|you|he|she|it|we|they|there|this|that)\b)"
_AINT = re.compile(
    rf"\b(?:(i)(?:['’]m|\s+am)\s+not|(?:is|are|has|have)(?:n['’]t|\s+not)){_NO_QUESTION}\b", re.IGNORECASE
)
_CONCORD = re.compile(
    rf"(\b\w+n['’]t\b{_NO_QUESTION}(?:\s+\w+){{0,4}}?\s+)({'|'.join(ANY)})\b(?!\s+(?:more|longer|other|since|means))",
    re.IGNORECASE,
)
_STATIVE = re.compile(rf"(\b\w+\s+)?\b(i|we|they)\s+({'|'.join(STATIVE)})\b", re.IGNORECASE)
_VERBS_BEFORE = "do did does would can could will should may might must let make made help"
_BEFORE = frozenset(_VERBS_BEFORE.split())


def aint(text: str, draw: Draw) -> str | None:
    """``ain't`` for the negated present of be and have.

    >>> from random import Random
    >>> aint("It isn't good.", Draw(Random(0), lambda word: False))
    "It ain't good."
    """
    after = _AINT.sub(lambda match: f"{match[1]} ain't" if match[1] else like(match[0], "ain't"), text)
    return after if after != text else None


def negative_concord(text: str, draw: Draw) -> str | None:
    """A second negation where standard English has any.

    >>> from random import Random
    >>> negative_concord("I didn't like anything.", Draw(Random(0), lambda word: False))
    "I didn't like nothing."
    """
    after = _CONCORD.sub(lambda match: match[1] + like(match[2], ANY[match[2].lower()]), text)
    return after if after != text else None


def stative_progressive(text: str, draw: Draw) -> str | None:
    """The progressive of verbs of state.

    >>> from random import Random
    >>> stative_progressive("I love the songs.", Draw(Random(0), lambda word: False))
    'I am loving the songs.'
    """
    after = _STATIVE.sub(_progressive, text)
    return after if after != text else None


def _progressive(match: re.Match[str]) -> str:
    before, subject, verb = match[1] or "", match[2], match[3]
    if before.strip().lower() in _BEFORE:
        return match[0]
    return f"{before}{subject} {'am' if subject.lower() == 'i' else 'are'} {STATIVE[verb.lower()]}"
