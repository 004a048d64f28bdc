"""Figures of slices of the data: by the values of a column, and by length.

Slices with few rows are not hidden; their wide intervals show how uncertain they are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from bertline.statistics.intervals import Estimate, wilson

VALUES_PER_COLUMN = 20
LENGTH_BUCKETS = 6
UNSURE_ROWS = 90  # at 85 % accuracy, their interval is 0.15 wide
UNSURE_WIDTH = 0.15

Members = Bool[np.ndarray[Any, Any], " rows"]
Right = Bool[np.ndarray[Any, Any], " rows"]
Lengths = Int[np.ndarray[Any, Any], " rows"]


@dataclass(frozen=True, slots=True)
class SliceFigure:
    """The figure by which slices are compared.

    Attributes:
        name: in JSON.
        of: computes it for the rows of a mask.
        share: whether it lies between 0 and 1; otherwise slices below ``UNSURE_ROWS`` rows are unsure.
    """

    name: str
    of: Callable[[Members], Estimate]
    share: bool = True


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows that share a value (or a range of lengths), and their figure; ``unsure`` if they are too few."""

    name: str
    rows: int
    estimate: Estimate
    unsure: bool
    figure: str = "accuracy"

    def to_json(self) -> dict[str, Any]:
        """All fields by name; the estimate by the name of its figure."""
        return {"name": self.name, "rows": self.rows, self.figure: self.estimate.to_json(), "unsure": self.unsure}


def accuracy_of(right: Right) -> SliceFigure:
    """The share of right rows, with Wilson's interval."""
    return SliceFigure("accuracy", lambda members: wilson(int(right[members].sum()), int(members.sum())))


def by_column(fields: Sequence[Mapping[str, str]], figure: SliceFigure) -> dict[str, tuple[Slice, ...]]:
    """Slices for each column of ``fields`` (one mapping per row), most frequent values first.

    Values beyond the ``VALUES_PER_COLUMN`` most frequent ones share a last slice; so do rows without a value.
    """
    columns = dict.fromkeys(name for row in fields for name in row)  # in order of appearance
    return {column: _of_column([row.get(column, "") for row in fields], figure) for column in columns}


def by_length(lengths: Lengths, figure: SliceFigure, *, buckets: int = LENGTH_BUCKETS) -> tuple[Slice, ...]:
    """Slices of about equally many rows by number of tokens, shortest first, named like ``17–30 tokens``."""
    if not len(lengths):
        return ()
    edges = np.unique(np.quantile(lengths, np.arange(1, buckets) / buckets, method="inverted_cdf"))
    bucket = np.searchsorted(edges, lengths, side="left")  # (edge before, edge]
    members = [bucket == i for i in np.unique(bucket)]
    return tuple(_slice(_range(lengths[rows]), rows, figure) for rows in members)


def _of_column(values: Sequence[str], figure: SliceFigure) -> tuple[Slice, ...]:
    frequent = [value for value, _ in Counter(values).most_common()]  # ties: first seen first
    named = frequent[:VALUES_PER_COLUMN]
    index = {value: i for i, value in enumerate(named)}
    of_row = np.array([index.get(value, len(named)) for value in values], dtype=np.int64)
    slices = [_slice(value or "(no value)", of_row == i, figure) for i, value in enumerate(named)]
    if rest := len(frequent) - len(named):
        slices.append(_slice(f"other ({rest:,} values)", of_row == len(named), figure))
    return tuple(slices)


def _slice(name: str, members: Members, figure: SliceFigure) -> Slice:
    rows, estimate = int(members.sum()), figure.of(members)
    unsure = estimate.width > UNSURE_WIDTH if figure.share else rows < UNSURE_ROWS
    return Slice(name, rows, estimate, unsure, figure.name)


def _range(lengths: np.ndarray[Any, Any]) -> str:
    shortest, longest = int(lengths.min()), int(lengths.max())
    return f"{shortest} tokens" if shortest == longest else f"{shortest}–{longest} tokens"
