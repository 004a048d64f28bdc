"""Queries, the texts that they search, and the texts that each is to find.

Of pairs and triplets, each distinct first text is a query that is to find its positives among the positives and
negatives of all rows. Of rows with labels, each text is to find those with its label among all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bertline.statistics.ranking import reciprocal_rank
from bertline.tasks.embed.spec import key
from bertline.text.reading import Reading, texts_of

Array = np.ndarray[Any, Any]
_QUERIES_AT_ONCE = 256
_DIGITS = 6  # of cosines: texts that differ by rounding alone have one rank


@dataclass(frozen=True, slots=True)
class Search:
    """Indices count the texts of all rows, one row's after the other's.

    Attributes:
        texts: of all rows.
        queries: indices of the queries that have a text to find.
        rows: the first row of each.
        searched: indices of the texts that are searched.
        wanted: of each query, the places among ``searched`` to find; its own place may be among them.
        own: of each query, its own place among ``searched``, or −1.
        total: number of queries, those without a text to find included.
    """

    texts: Sequence[str]
    queries: Array
    rows: Array
    searched: Array
    wanted: Sequence[Array]
    own: Array
    total: int

    @classmethod
    def of(cls, truth: Sequence[Any], readings: Sequence[Reading]) -> Search:
        """The search of some rows; ``truth`` has labels, or nothing."""
        texts = [text for reading in readings for text in texts_of(reading.input)]
        if isinstance(truth[0], str):
            return cls._of_labels(texts, truth)
        return cls._of_rows(texts, readings)

    @classmethod
    def _of_labels(cls, texts: Sequence[str], labels: Sequence[str]) -> Search:
        members: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            members.setdefault(label, []).append(place)
        arrays = {label: np.array(some) for label, some in members.items()}
        queries = np.array([i for i, label in enumerate(labels) if len(members[label]) > 1], dtype=np.int64)
        wanted = [arrays[labels[i]] for i in queries]
        return cls(texts, queries, queries, np.arange(len(texts)), wanted, queries, len(texts))

    @classmethod
    def _of_rows(cls, texts: Sequence[str], readings: Sequence[Reading]) -> Search:
        searched: dict[int, int] = {}  # by the key of a text, its index
        queries: dict[int, tuple[int, int, set[int]]] = {}  # by key: row, index, and the keys of the positives
        index = 0
        for row, reading in enumerate(readings):
            first, *others = map(key, texts_of(reading.input))
            for offset, other in enumerate(others, 1):
                searched.setdefault(other, index + offset)
            queries.setdefault(first, (row, index, set()))[2].update(others[:1])
            index += 1 + len(others)
        place = {one: i for i, one in enumerate(searched)}
        counted = [(one, query) for one, query in queries.items() if query[2] - {one}]
        return cls(
            texts,
            np.array([at for _, (_, at, _) in counted], dtype=np.int64),
            np.array([row for _, (row, _, _) in counted], dtype=np.int64),
            np.array([*searched.values()], dtype=np.int64),
            [np.array([place[one] for one in sorted(wanted)]) for _, (_, _, wanted) in counted],
            np.array([place.get(one, -1) for one, _ in counted], dtype=np.int64),
            len(queries),
        )

    def values(self, units: Array) -> Array:
        """The reciprocal rank of the first text found and whether it is the first of all, [query, 2].

        Args:
            units: embeddings of all texts, each of length 1 or 0.
        """
        values = [
            (reciprocal_rank(wanted[near], scores[near]), float(wanted[scores == scores.max()].mean()))
            for wanted, scores in self._scored(units)
            for near in [scores >= scores[wanted].max()]  # what comes later does not matter
        ]
        return np.array(values, dtype=np.float64).reshape(-1, 2)

    def best(self, units: Array, number: int) -> tuple[int, int, float]:
        """The text that a query is to find and the one that it finds, both by index, and the cosine of the latter."""
        one = [number]
        some = replace(self, queries=self.queries[one], wanted=[self.wanted[number]], own=self.own[one])
        [(wanted, scores)] = some._scored(units)
        found, right = int(scores.argmax()), int(np.where(wanted, scores, -np.inf).argmax())
        return int(self.searched[right]), int(self.searched[found]), float(scores[found])

    def _scored(self, units: Array) -> Iterator[tuple[Array, Array]]:
        """Of each query, which texts are wanted and the cosine of each; its own text is last."""
        for start in range(0, len(self.queries), _QUERIES_AT_ONCE):
            chosen = self.queries[start : start + _QUERIES_AT_ONCE]
            for number, scores in enumerate(units[chosen] @ units[self.searched].T, start):
                rounded, wanted = np.round(scores.astype(np.float64), _DIGITS), np.zeros(len(scores), dtype=bool)
                wanted[self.wanted[number]] = True
                if self.own[number] >= 0:
                    rounded[self.own[number]], wanted[self.own[number]] = -np.inf, False
                yield wanted, rounded
