"""The columns that ``bertline predict`` adds to a table, under names that the table does not have."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bertline.data.rows import Row
from bertline.errors import DataError
from bertline.inference import Prediction

DIGITS = 6  # of a written probability


@dataclass(frozen=True, slots=True)
class AddedColumns:
    """What is added: label and probability of each rank, and the tokens that were cut."""

    prefix: str
    top_k: int
    taken: tuple[str, ...] = ()

    @classmethod
    def choose(cls, existing: Sequence[str], top_k: int, model: str) -> AddedColumns:
        """Plain names, or, if the table has one of them, names that begin with the model's.

        >>> AddedColumns.choose(["text", "probability"], 1, "reviews").columns
        ['reviews_predicted_label', 'reviews_probability', 'reviews_cut_tokens']
        """
        taken = tuple(name for name in cls("", top_k).columns if name in existing)
        prefixes = itertools.chain(["", f"{model}_"], (f"{model}_{number}_" for number in itertools.count(2)))
        free = (one for one in prefixes if not set(cls(one, top_k).columns) & set(existing))
        return cls(next(free), top_k, taken)

    @property
    def columns(self) -> list[str]:
        """The names in order."""
        ranks = [("predicted_label", "probability")]
        ranks += [(f"label_{rank}", f"probability_{rank}") for rank in range(2, self.top_k + 1)]
        return [self.prefix + name for name in (*itertools.chain(*ranks), "cut_tokens")]

    def values(self, row: Row, prediction: Prediction, source: str) -> dict[str, object]:
        """The values of one row.

        Raises:
            DataError: the row has a value under such a name (JSON lines need not all have the same keys).
        """
        ranks = ((label, round(share, DIGITS)) for label, share in prediction.top(self.top_k))
        values = dict(zip(self.columns, (*itertools.chain(*ranks), prediction.cut_tokens), strict=True))
        clash = next((name for name in values if name in row.values), None)
        if clash is not None:
            raise DataError(
                f"{source} line {row.line} has {clash!r}, which the first rows lack and which is to be added: rename it"
            )
        return values

    def sentence(self) -> str | None:
        """Which names were taken, or None if none was."""
        if not self.taken:
            return None
        return f"note: the table already has {', '.join(self.taken)}: the added columns begin with {self.prefix}"
