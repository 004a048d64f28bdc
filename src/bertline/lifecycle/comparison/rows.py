"""The rows that two models are compared on: with labels where the table has them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from bertline.data.examples import Dataset, read_examples
from bertline.data.formats import STANDARD, Location
from bertline.data.head import Head
from bertline.data.settings import LabelledTableSettings
from bertline.data.shared_names import check_shared_names
from bertline.data.target_columns import NoColumn, TargetColumns
from bertline.data.target_kinds import Scores, TargetKind
from bertline.errors import DataError
from bertline.lifecycle.comparison.settings import CompareSettings
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec

MOST_VALUES = 50  # of a column to slice by: more are names of rows
LABEL_SETTINGS = ("label_column", "label_columns", "label_separator", "entities_column", "score_column")


@dataclass(frozen=True)
class Unlabelled:
    """Rows whose labels are not read."""

    wanted: ClassVar[str] = "rows with a text"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """None."""
        return NoColumn()


@dataclass(frozen=True)
class UnlabelledRanking(Scores):
    """Texts for queries whose scores are not read."""

    wanted: ClassVar[str] = "rows with a query and a text"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """None."""
        return NoColumn()


@dataclass(frozen=True, slots=True)
class GivenTable:
    """Rows of a table, and whether they have labels."""

    dataset: Dataset
    labelled: bool


def read_rows(data: Location, settings: CompareSettings, spec: TaskSpec, model: str) -> GivenTable:
    """Read the table; a column of labels is found by its usual names, and none is needed.

    Args:
        data: the table's path.
        settings: how it is read.
        spec: of the models.
        model: title of one of them, for messages.

    Raises:
        DataError: the table cannot be read, no row has a label that the model knows, or a column to slice by has too
            many values.
        SettingsError: the settings contradict each other.
    """
    if _are_labelled(data, settings, spec):
        rows = GivenTable(_read(data, settings, spec, spec.kind), True)
        check_shared_names(rows.dataset, spec.names, f"that {model} knows")
    else:
        rows = GivenTable(_read(data, _without_labels(settings), spec, _unlabelled(spec)), False)
    for column in settings.slice_columns:
        values = Counter(one.fields.get(column, "") for one in rows.dataset.examples)
        if len(values) > MOST_VALUES:
            raise DataError(
                f"the column {column!r} has {len(values):,} values, so they are no slices: name one with at most "
                f"{MOST_VALUES} in --slice-columns"
            )
    return rows


def _are_labelled(data: Location, settings: CompareSettings, spec: TaskSpec) -> bool:
    if settings.labelled is False or not _has_labels(spec):
        return False
    return settings.labelled or settings.names_labels or _found(data, settings, spec)


def _has_labels(spec: TaskSpec) -> bool:
    """Whether a label of one row says that an answer to it is right: not of embeddings, and of no hidden words."""
    return task(spec.task).learns and spec.output != "embedding"


def _found(data: Location, settings: CompareSettings, spec: TaskSpec) -> bool:
    """Whether the table has a column of labels by its usual names; standard input can be read only once."""
    if data == STANDARD:
        return False
    head, _ = settings.opened(data)
    try:
        spec.kind.find(head, settings)
    except DataError:
        return False
    return True


def _without_labels(settings: CompareSettings) -> CompareSettings:
    return settings.model_copy(update={name: () if name == "label_columns" else None for name in LABEL_SETTINGS})


def _unlabelled(spec: TaskSpec) -> TargetKind:
    return UnlabelledRanking() if spec.reads == "query" else Unlabelled()


def _read(data: Location, settings: CompareSettings, spec: TaskSpec, kind: TargetKind) -> Dataset:
    return read_examples(
        data, settings, kind=kind, pairs=spec.pairs, slice_columns=settings.slice_columns, trainable=False
    )
