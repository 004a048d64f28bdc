"""Explain why a text has no tokens. The tokenizer decides whether it has any, on every route and command.

A tokenizer drops white space, control characters, U+200B, U+FEFF and whatever else its normaliser strips. The network
then sees only [CLS] and [SEP], and its answer is meaningless.
"""

from __future__ import annotations

SHOWN = 3  # code points that a message names


def why_unread(text: str) -> str:
    r"""Why a text has no tokens, as the predicate of a sentence about it.

    >>> why_unread(""), why_unread(" \n")
    ('is empty', 'is only white space')
    >>> why_unread(" \u200b\ufeff")
    'has only characters that the model does not read (U+200B, U+FEFF)'
    """
    if not text:
        return "is empty"
    if text.isspace():
        return "is only white space"
    points = dict.fromkeys(f"U+{ord(one):04X}" for one in text if not one.isspace())
    more = ", …" if len(points) > SHOWN else ""
    return f"has only characters that the model does not read ({', '.join(list(points)[:SHOWN])}{more})"
