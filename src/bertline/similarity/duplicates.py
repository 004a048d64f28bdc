"""Texts of an index that mean the same, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.errors import UsageError
from bertline.similarity import THRESHOLD
from bertline.similarity.index import Index
from bertline.similarity.notify import Notify, quiet
from bertline.statistics.vectors.groups import groups_of


@dataclass(frozen=True, slots=True)
class Member:
    """A text of a group.

    Attributes:
        line: of the text in the table, from 1; of Parquet its row.
        text: the text.
        nearest_line: of the most similar other text.
        similarity: the cosine with it.
    """

    line: int
    text: str
    nearest_line: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of texts that mean the same.

    Attributes:
        groups: each in the order of the table, by its first text.
        pairs: number of pairs that are at least as similar as the threshold.
        rows: the group's number from 1 and its member, for each row of the table; None for a row without duplicates.
    """

    groups: tuple[tuple[Member, ...], ...]
    pairs: int
    rows: tuple[tuple[int, Member] | None, ...]

    @property
    def repeated(self) -> frozenset[int]:
        """The rows, from 0, that repeat an earlier one of their group."""
        seen, again = set[int](), list[int]()
        for row, one in enumerate(self.rows):
            if one is not None and one[0] in seen:
                again.append(row)
            elif one is not None:
                seen.add(one[0])
        return frozenset(again)

    def to_json(self) -> dict[str, Any]:
        """All but the rows."""
        groups = [[{name: getattr(one, name) for name in Member.__slots__} for one in group] for group in self.groups]
        return {"pairs": self.pairs, "repeated_rows": len(self.repeated), "groups": groups}


def check_threshold(threshold: float) -> None:
    """Check that a threshold can be reached, before anything is embedded.

    Raises:
        UsageError: it is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is {threshold:g}: give a cosine above 0 and at most 1, such as {THRESHOLD:g}")


def duplicates_of(index: Index, threshold: float = THRESHOLD, notify: Notify = quiet) -> Duplicates:
    """The groups of texts whose embeddings have a cosine of at least ``threshold``.

    Texts of a group are connected by such pairs; two of them may be less similar.

    Args:
        index: the texts.
        threshold: above 0, at most 1.
        notify: gets the rows that are compared with all.

    Raises:
        UsageError: the threshold is out of its range.
    """
    check_threshold(threshold)
    found = groups_of(index.vectors, threshold, lambda done: notify("comparing", done, len(index.vectors)))
    grouped = np.flatnonzero(found.partner >= 0)
    rows, column = index.pick(grouped.tolist()), index.facts.text_column
    groups: dict[int, list[Member]] = {}
    placed: list[tuple[int, Member] | None] = [None] * len(index.vectors)
    numbers: dict[int, int] = {}
    for row in grouped.tolist():
        nearest = int(index.lines[found.partner[row]])
        member = Member(rows[row].line, str(rows[row].values[column]), nearest, float(found.similarity[row]))
        first = int(found.first[row])
        groups.setdefault(first, []).append(member)
        placed[row] = numbers.setdefault(first, len(numbers) + 1), member
    return Duplicates(tuple(map(tuple, groups.values())), found.pairs, tuple(placed))
