"""Changes that move an opinion one way: praise that is negated, and a sentence of praise or blame that is added."""

from __future__ import annotations

import re

from bertline.explanation.anatomy.lexicon import valence
from bertline.lifecycle.probes.additions import ended
from bertline.lifecycle.probes.change import NEGATIONS, WORD, Draw, Moved, Opinion, Texts

STRONG = 1.8  # of VADER's values from −4 to 4
PRAISE, BLAME = "I loved it.", "I hated it."
_SAID = re.compile(
    r"\b(is|was|are|were)\s+(?=((?:(?:a|an|the|so|very|really|quite|truly|such)\s+){0,3})([A-Za-z]+)\b)", re.IGNORECASE
)


def negated(texts: Texts, draw: Draw) -> Moved | None:
    """``is good`` as ``is not good``, where VADER's list has the word; the word's opinion must not grow.

    Texts that ask or negate already stay as they are.

    >>> from random import Random
    >>> negated(("The film is really good.",), Draw(Random(0), lambda word: False))
    Moved(texts=('The film is not really good.',), opinion='positive', moves='down')
    """
    (text,) = texts
    if "?" in text or any(_negates(match[0]) for match in WORD.finditer(text)):
        return None
    for match in _SAID.finditer(text):
        value = valence(match[3])
        if value is not None and abs(value) >= STRONG:
            after = f"{text[: match.end()]}not {text[match.end() :]}"
            return Moved((after,), "positive" if value > 0 else "negative", "down")
    return None


def praised(texts: Texts, draw: Draw) -> Moved:
    """With a sentence of praise."""
    return _with(texts, PRAISE, "positive")


def blamed(texts: Texts, draw: Draw) -> Moved:
    """With a sentence of blame."""
    return _with(texts, BLAME, "negative")


def _with(texts: Texts, sentence: str, opinion: Opinion) -> Moved:
    (text,) = texts
    return Moved((f"{ended(text)} {sentence}",), opinion, "up")


def _negates(word: str) -> bool:
    return word.lower() in NEGATIONS or word.lower().endswith(("n't", "n’t"))
