"""How tables hold targets of each kind, and how the columns are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from bertline.data.columns import LABEL_NAMES, LIKENESS_NAMES, SCORE_NAMES, candidates
from bertline.data.entities import ENTITY_NAMES
from bertline.data.head import Head
from bertline.data.names import canonical
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_columns import (
    EntitiesColumn,
    FlagColumns,
    LabelColumn,
    LabelsColumn,
    NoColumn,
    NumberColumn,
    TargetColumns,
)
from bertline.errors import DataError, SettingsError


@runtime_checkable
class TargetKind(Protocol):
    """One way in which tables hold targets; ``wanted`` says what a table without rows should have."""

    @property
    def wanted(self) -> str:
        """Rows of what."""
        ...

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The columns, as the settings name them or by their usual names.

        Raises:
            DataError: a column is missing or in doubt.
        """
        ...


@dataclass(frozen=True)
class OneLabel:
    """One label per text."""

    wanted: ClassVar[str] = "rows with a text and a label"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column that is named, or the only one with a usual name."""
        return LabelColumn(head.source, label_column(head, table))


@dataclass(frozen=True)
class SeveralLabels:
    """Several labels per text, as ``--label-columns``, ``--label-separator`` or lists in the column of the label.

    Attributes:
        labels: of a model. Where a table has a column of each label's name and none of labels, those are read.
    """

    labels: tuple[str, ...] = ()

    wanted: ClassVar[str] = "rows with a text and its labels"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The columns."""
        named = table.label_columns
        if not named and table.label_column is None and not candidates(head.columns, LABEL_NAMES):
            by_name = {canonical(one): one for one in head.columns}
            if self.labels and all(canonical(one) in by_name for one in self.labels):
                return FlagColumns(head.source, {one: by_name[canonical(one)] for one in self.labels})
        if named:
            columns = [head.check_column(one, "--label-columns") for one in named]
            return FlagColumns(head.source, {canonical(one): one for one in columns})
        return LabelsColumn(head.source, label_column(head, table), table.label_separator)


@dataclass(frozen=True)
class AnyLabels:
    """Several labels per text where the settings say so or the first rows have lists of them, else one."""

    wanted: ClassVar[str] = "rows with a text and a label"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The columns."""
        several: TargetKind = SeveralLabels()
        if table.label_columns or table.label_separator is not None:
            return several.find(head, table)
        column = label_column(head, table)
        values = [one for row in head.rows if (one := row.values.get(column)) is not None]
        lists = bool(values) and all(isinstance(one, list | tuple) for one in values)
        return several.find(head, table) if lists else LabelColumn(head.source, column)


@dataclass(frozen=True)
class Numbers:
    """A number per text, in the column of the label."""

    wanted: ClassVar[str] = "rows with a text and a number"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column."""
        return NumberColumn(head.source, label_column(head, table))


@dataclass(frozen=True)
class Scores:
    """A score of each text for its query, 0 or higher."""

    wanted: ClassVar[str] = "rows with a query, a text and a score"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column."""
        column = head.find_column(table.score_column or table.label_column, SCORE_NAMES, "score")
        return NumberColumn(head.source, column, "score_column", least=0)


@dataclass(frozen=True)
class Alike:
    """Which texts are alike: pairs of them, with a score or without one, or texts with the same label."""

    wanted: ClassVar[str] = "rows with two texts that are alike, or with a text and a label"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column of the score or the label; none for pairs without a score, and for triplets.

        Raises:
            SettingsError: a column of scores is named for triplets.
        """
        texts = table.find_alike_columns(head)
        if "text_pair_column" not in texts:
            return LabelColumn(head.source, label_column(head, table))
        if "negative_column" in texts:
            if table.score_column is not None:
                raise SettingsError(
                    f"{head.source} has a column of negatives, {texts['negative_column']!r}, and score_column is set, "
                    "but a score is one of two texts: leave score_column out, or rename the column of negatives"
                )
            return NoColumn()
        if table.score_column is not None or candidates(head.columns, LIKENESS_NAMES):
            column = head.find_column(table.score_column, LIKENESS_NAMES, "score")
            return NumberColumn(head.source, column, "score_column")
        return NoColumn()


@dataclass(frozen=True)
class Entities:
    """Entities of each text."""

    wanted: ClassVar[str] = "texts with their entities"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column."""
        conll = head.format == "conll"
        if conll and "entities" not in head.columns:
            raise DataError(f"{head.source} has words without tags: give each word its tag in the last column")
        column = head.find_column(table.entities_column, ENTITY_NAMES, "entities")
        return EntitiesColumn(head.source, column, table.find_text_column(head), conll=conll)


def label_column(head: Head, table: LabelledTableSettings) -> str:
    """The column of the label.

    Raises:
        DataError: it is missing or in doubt.
    """
    return head.find_column(table.label_column, LABEL_NAMES, "label")
