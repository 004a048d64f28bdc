"""A smaller embedding table: the tokens that the task's text uses, and for each other token the nearest of them.

The tokens of a text stay the same; only rows of the table are shared. So a text all of whose tokens are kept gets the
identical answer, and any other one an answer from neighbours in the embedding space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class PrunedVocabulary:
    """``kept`` are the ids that have a row of their own; ``row`` leads from every id to one, [vocab]."""

    kept: Int[np.ndarray[Any, Any], " rows"]
    row: Int[np.ndarray[Any, Any], " vocab"]

    def covers(self, ids: Iterable[int]) -> bool:
        """Whether every id has its own row."""
        return all(self.kept[self.row[id_]] == id_ for id_ in ids)


def prune(
    table: Float[np.ndarray[Any, Any], "vocab hidden"],
    counts: Counter[int],
    always: Iterable[int],
    rows: int,
) -> PrunedVocabulary:
    """Keep the ``rows`` ids that occur most.

    Args:
        table: the token embeddings.
        counts: how often each id occurs in texts of the task.
        always: ids that are kept in any case, the special tokens.
        rows: how many to keep; of ids that occur equally often the lower ones, which in a published vocabulary are the
            more frequent ones.
    """
    first = list(dict.fromkeys(always))
    by_use = sorted(range(len(table)), key=lambda id_: (-counts[id_], id_))
    kept = np.array(sorted((first + [id_ for id_ in by_use if id_ not in set(first)])[:rows]), dtype=np.int64)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    row = np.empty(len(table), dtype=np.int64)
    for start in range(0, len(table), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        row[some] = (unit[some] @ unit[kept].T).argmax(axis=1)
    row[kept] = np.arange(len(kept))
    return PrunedVocabulary(kept, row)
