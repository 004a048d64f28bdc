"""Accuracy of parts of the data: by the values of a column, and by length.

A part with few rows is not hidden; its wide interval says what its figure is worth.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from bertline.statistics.intervals import Estimate, wilson

VALUES_PER_COLUMN = 20
LENGTH_BUCKETS = 6
UNSURE_WIDTH = 0.15  # the interval of some 90 rows at 85 % accuracy

Right = Bool[np.ndarray[Any, Any], " rows"]
Lengths = Int[np.ndarray[Any, Any], " rows"]


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows that share a value (or a range of lengths), and how many of them are right."""

    name: str
    rows: int
    accuracy: Estimate

    @property
    def unsure(self) -> bool:
        """Whether there are too few rows to say much."""
        return self.accuracy.width > UNSURE_WIDTH

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {
            "name": self.name,
            "rows": self.rows,
            "accuracy": self.accuracy.to_json(),
            "unsure": self.unsure,
        }


def by_column(fields: Sequence[Mapping[str, str]], right: Right) -> dict[str, tuple[Slice, ...]]:
    """Slices for each column of ``fields`` (one mapping per row), most frequent values first.

    Values beyond the ``VALUES_PER_COLUMN`` most frequent ones share a last slice; so do rows without a value.
    """
    columns = dict.fromkeys(name for row in fields for name in row)  # in order of appearance
    return {column: _of_column([row.get(column, "") for row in fields], right) for column in columns}


def by_length(lengths: Lengths, right: Right, *, buckets: int = LENGTH_BUCKETS) -> tuple[Slice, ...]:
    """Slices of about equally many rows by number of tokens, shortest first, named like ``17–30 tokens``."""
    if not len(lengths):
        return ()
    edges = np.unique(np.quantile(lengths, np.arange(1, buckets) / buckets, method="inverted_cdf"))
    bucket = np.searchsorted(edges, lengths, side="left")  # (edge before, edge]
    members = [bucket == i for i in np.unique(bucket)]
    return tuple(_slice(_range(lengths[some]), right[some]) for some in members)


def _of_column(values: Sequence[str], right: Right) -> tuple[Slice, ...]:
    frequent = [value for value, _ in Counter(values).most_common()]  # ties: first seen first
    named = frequent if len(frequent) <= VALUES_PER_COLUMN else frequent[:VALUES_PER_COLUMN]
    index = {value: i for i, value in enumerate(named)}
    of_row = np.array([index.get(value, len(named)) for value in values], dtype=np.int64)
    slices = [_slice(value or "(no value)", right[of_row == i]) for i, value in enumerate(named)]
    if rest := len(frequent) - len(named):
        slices.append(_slice(f"other ({rest:,} values)", right[of_row == len(named)]))
    return tuple(slices)


def _slice(name: str, right: np.ndarray[Any, Any]) -> Slice:
    return Slice(name, len(right), wilson(int(right.sum()), len(right)))


def _range(lengths: np.ndarray[Any, Any]) -> str:
    shortest, longest = int(lengths.min()), int(lengths.max())
    return f"{shortest} tokens" if shortest == longest else f"{shortest}–{longest} tokens"
