"""The columns that answers add to a table, under names that the table does not have."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bertline.data.rows import Row
from bertline.errors import DataError
from bertline.inference.requested import DEFAULT, Top
from bertline.tasks.contract import Answer

CUT = "cut_tokens"


@dataclass(frozen=True, slots=True)
class AddedColumns:
    """What is added, by plain names: the columns of an answer, and the tokens cut."""

    prefix: str
    plain: tuple[str, ...]
    taken: tuple[str, ...] = ()

    @classmethod
    def choose(cls, existing: Sequence[str], plain: Sequence[str], model: str) -> AddedColumns:
        """Plain names, or, if the table has one of them, names that begin with the model's.

        >>> AddedColumns.choose(["text", "probability"], ["predicted_label", "probability"], "reviews").columns
        ['reviews_predicted_label', 'reviews_probability', 'reviews_cut_tokens']
        """
        return cls.named(existing, (*plain, CUT), model)

    @classmethod
    def named(cls, existing: Sequence[str], names: Sequence[str], model: str) -> AddedColumns:
        """The same for these names alone."""
        taken = tuple(name for name in names if name in existing)
        prefixes = itertools.chain(["", f"{model}_"], (f"{model}_{number}_" for number in itertools.count(2)))
        free = (one for one in prefixes if not set(cls(one, tuple(names)).columns) & set(existing))
        return cls(next(free), tuple(names), taken)

    @property
    def columns(self) -> list[str]:
        """The names in order."""
        return [self.prefix + name for name in self.plain]

    def values(self, row: Row, answer: Answer, source: str, top: Top = DEFAULT) -> dict[str, object]:
        """The values of one row.

        Raises:
            DataError: the row has a value under such a name (JSON lines need not all have the same keys).
        """
        columns = {**answer.columns(**top), CUT: answer.cut_tokens}
        values = {self.prefix + name: value for name, value in columns.items()}
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
