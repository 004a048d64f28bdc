"""VADER's list of sentiment: 7,500 words, marks and emoticons with the mean judgement of ten people, −4 to 4.

Source: Hutto and Gilbert 2014, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. The
list is theirs, under the MIT licence beside it; two of its four columns are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def valence(word: str) -> float | None:
    """The value of a word, without regard to case; None if the list does not have it.

    >>> valence("Liked"), valence("hated"), valence("movie")
    (1.8, -3.2, None)
    """
    return _values().get(word, _values().get(word.lower()))


@cache
def _values() -> Mapping[str, float]:
    lines = (files(__package__) / "vader.tsv").read_text(encoding="utf-8").split("\n")
    return {word: float(value) for word, _, value in (line.partition("\t") for line in lines if line)}
