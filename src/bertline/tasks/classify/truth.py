"""The true labels of rows as indices: first the model's labels, then labels that the model does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertline.data.labels import Labels, ordered
from bertline.statistics.metrics import Indices

SHOWN = 8  # labels in a sentence


@dataclass(frozen=True, slots=True)
class Truth:
    """``rows`` has each row's index in the model's labels followed by the ``unknown`` ones."""

    rows: Indices
    unknown: tuple[str, ...]


def read_truth(names: Sequence[str], labels: Sequence[str]) -> Truth:
    """The truth of rows by the names of their labels.

    >>> read_truth(["good", "odd", "bad"], ["bad", "good"])
    Truth(rows=array([1, 2, 0]), unknown=('odd',))
    """
    known = Labels(tuple(labels))
    unknown = ordered(name for name in names if name not in known)
    place = {name: len(labels) + i for i, name in enumerate(unknown)}
    rows = [place[name] if name in place else known.index(name) for name in names]
    return Truth(np.array(rows, dtype=np.int64), unknown)


def counted(names: Sequence[str]) -> str:
    """Labels with their numbers of rows, the most frequent first, as a sentence shows them.

    >>> counted(["odd", "new", "odd"])
    'odd 2, new 1'
    """
    counts = Counter(names).most_common()
    more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
    return ", ".join(f"{name} {count:,}" for name, count in counts[:SHOWN]) + more
