"""BM25, the ranking of search engines by the words that a text shares with the query.

Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", equation 3.15; its inverse
document frequency is that of Lucene, which is never negative.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

SATURATION, LENGTH = 1.2, 0.75  # k₁ and b, Lucene's defaults
_WORD = re.compile(r"\w+")


def bm25(pairs: Sequence[tuple[str, str]], corpus: Iterable[str]) -> list[float]:
    """How well the text of each pair matches its query, at least 0.

    Args:
        pairs: a query and a text each.
        corpus: texts from which the weights of words and the usual length come, the ranked ones among them.

    >>> [round(one, 2) for one in bm25([("red sea", "the red sea"), ("red sea", "a sea")], ["the red sea", "a sea"])]
    [0.81, 0.2]
    """
    texts = [*dict.fromkeys(corpus)]
    counts = {text: Counter(words_in(text)) for text in texts}
    documents = Counter(word for words in counts.values() for word in words)
    mean_length = sum(words.total() for words in counts.values()) / max(1, len(texts)) or 1.0

    @cache
    def weight(word: str) -> float:
        return math.log(1 + (len(texts) - documents[word] + 0.5) / (documents[word] + 0.5))

    def score(query: str, text: str) -> float:
        words = counts[text]
        norm = SATURATION * (1 - LENGTH + LENGTH * words.total() / mean_length)
        return sum(weight(word) * words[word] * (SATURATION + 1) / (words[word] + norm) for word in {*words_in(query)})

    return [score(query, text) for query, text in pairs]


def words_in(text: str) -> list[str]:
    """The words of a text, without regard to case."""
    return _WORD.findall(text.casefold())
