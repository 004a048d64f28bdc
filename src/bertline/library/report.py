"""The figures of a verb, as one value that prints, converts and shows itself in a notebook."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertline.config import nearest
from bertline.library import notebook
from bertline.library.tables import as_html, as_pandas, as_text
from bertline.statistics.intervals import Estimate

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The figures of ``train``, ``pretrain``, ``evaluate``, ``distill`` or ``optimize``.

    ``report["accuracy"]`` is the row of that name, for instance ``{"figure": "accuracy", "value": 0.843, "low": 0.82,
    "high": 0.864}``; ``low`` and ``high`` are the ends of the 95 % interval. ``optimize`` has a row for each engine.

    Attributes:
        title: names the model and the rows.
        bundle: directory of the bundle or encoder that was made or measured.
        rows: the table; the first column names the row.
        record: every figure as plain JSON values, as the command prints it with ``--json``.
        notes: sentences to read beside the figures.
    """

    title: str
    bundle: Path
    rows: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> dict[str, Any]:
        for row in self.rows:
            if next(iter(row.values())) == name:
                return dict(row)
        raise KeyError(f"the report has no row {name}{nearest(name, self.names)}")

    @property
    def names(self) -> list[str]:
        """What ``report[…]`` takes."""
        return [str(next(iter(row.values()))) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Every figure as plain JSON values, as the command prints it with ``--json``."""
        return copy.deepcopy(dict(self.record))

    def to_rows(self) -> list[dict[str, Any]]:
        """The table, a dictionary per row."""
        return [dict(row) for row in self.rows]

    def to_pandas(self) -> pandas.DataFrame:
        """The table in pandas, with the rows' names as its index.

        Raises:
            UsageError: pandas is not installed.
        """
        table = as_pandas(self.rows)
        return table.set_index(table.columns[0])

    def __repr__(self) -> str:
        notes = "".join(f"\nnote: {one}" for one in self.notes)
        return f"{self.title}\n{as_text(self.rows)}{notes}\nbundle: {self.bundle}"

    def _repr_html_(self) -> str:
        notes = (notebook.paragraph(one, "soft") for one in (*self.notes, f"Bundle: {self.bundle}"))
        return notebook.framed(notebook.paragraph(self.title, "best"), as_html(self.rows), *notes)


def figure_rows(figures: Iterable[tuple[str, Estimate]]) -> list[dict[str, Any]]:
    """Figures with their intervals as rows of a table."""
    return [{"figure": name, **one.to_json()} for name, one in figures]
