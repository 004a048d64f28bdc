"""Texts of which no token is left: decided by the tokenizer and not by their characters, on every route and command.

A tokenizer drops white space, control characters, U+200B, U+FEFF and whatever else its normaliser strips. The network
then sees [CLS] and [SEP] alone, and its answer says nothing of the text.
"""

from __future__ import annotations

SHOWN = 3  # code points that a message names


def why_unread(text: str) -> str:
    r"""Why no token is left of a text, as the predicate of a sentence about it.

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
