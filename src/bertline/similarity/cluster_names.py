"""Names of clusters: the words by which the texts of a cluster differ most from all texts.

A class-based TF-IDF as in BERTopic (Grootendorst 2022), with another weight: p · log(p / q) · log(1 / q), where p is
the share of the cluster's texts that have the word and q that of all texts. The first two factors are the word's part
in the Kullback–Leibler divergence of the two, the third is its inverse document frequency, so a word that is everywhere
weighs nothing in any language, without a list of stop words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from bertline.evaluation.bm25 import words_in

WORDS = 3  # of a name
_SHORTEST = 2  # characters of a word
_RAREST = 2  # texts of a cluster that have a word of its name, if the cluster has so many


def name_clusters(texts: Iterable[str], clusters: Sequence[int], number: int) -> list[tuple[str, ...]]:
    """The words that name each cluster, the strongest first; no two names are equal unless no words are left.

    Args:
        texts: all texts.
        clusters: of each text, from 0.
        number: of clusters.

    >>> name_clusters(["the red sea", "the sea", "the red car", "the car"], [0, 0, 1, 1], 2)
    [('sea',), ('car',)]
    """
    counts, sizes = [Counter[str]() for _ in range(number)], Counter(clusters)
    for text, cluster in zip(texts, clusters, strict=True):
        counts[cluster].update({word for word in words_in(text) if _can_name(word)})
    everywhere = Counter[str]()
    for one in counts:
        everywhere.update(one)
    total = sum(sizes.values())

    def weight(word: str, cluster: int) -> float:
        share, rarity = counts[cluster][word] / sizes[cluster], total / everywhere[word]
        return share * math.log(share * rarity) * math.log(rarity) if number > 1 else share

    names: list[tuple[str, ...]] = []
    for cluster, own in enumerate(counts):
        rarest = min(_RAREST, sizes[cluster])
        weights = {word: weight(word, cluster) for word, count in own.items() if count >= rarest}
        best = sorted((word for word, one in weights.items() if one > 0), key=lambda word: (-weights[word], word))
        length = next((n for n in range(WORDS, len(best) + 1) if tuple(best[:n]) not in names), len(best))
        names.append(tuple(best[:length]))
    return names


def _can_name(word: str) -> bool:
    return len(word) >= _SHORTEST and not word.isnumeric()
