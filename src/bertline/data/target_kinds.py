"""How tables hold targets of each kind, and how the columns are found."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from bertline.data.columns import LABEL_NAMES, LIKENESS_NAMES, QUERY_NAMES, SCORE_NAMES, candidates
from bertline.data.entities import ENTITY_NAMES
from bertline.data.head import Head
from bertline.data.label_lists import is_list
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

_LISTS = "write a list in every row, or pass --problem single to take texts as they are"


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
    """One label per text.

    Attributes:
        lists: how to learn lists of labels, for messages. None takes a text that shows a list as a name.
    """

    lists: str | None = None

    wanted: ClassVar[str] = "rows with a text and a label"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The column that is named, or the only one with a usual name."""
        return LabelColumn(head.source, label_column(head, table), lists=self.lists)


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
    """Several labels per text where the settings say so or the first rows have lists of them, else one.

    A text that is a JSON list counts as a list, because CSV has no other.
    """

    wanted: ClassVar[str] = "rows with a text and a label"

    def find(self, head: Head, table: LabelledTableSettings) -> TargetColumns:
        """The columns."""
        several: TargetKind = SeveralLabels()
        if table.label_columns or table.label_separator is not None:
            return several.find(head, table)
        column = head.find_column(table.label_column, LABEL_NAMES, "label", _other_targets(head))
        cells = (row.values.get(column) for row in head.rows)
        values = [one for one in cells if not (one is None or (isinstance(one, str) and not one.strip()))]
        if values and all(map(is_list, values)):
            return several.find(head, table)
        return LabelColumn(head.source, column, lists=_LISTS, numbers="pass --problem number to learn numbers")


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
            return LabelColumn(head.source, label_column(head, table), lists="give each text one label")
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


def _other_targets(head: Head) -> str:
    """What a table without a column of labels may have instead, to end a message."""
    hints = [f"to learn the entities in {one!r}, pass --task tag" for one in candidates(head.columns, ENTITY_NAMES)]
    flags = [one for one in head.columns if all(str(row.values.get(one)) in ("0", "1") for row in head.rows)]
    if candidates(head.columns, QUERY_NAMES) and candidates(head.columns, SCORE_NAMES):
        hints.append("to rank texts for queries, pass --task rank")
    if flags:
        named = " ".join(f"--label-columns {shlex.quote(one)}" for one in flags[:3]) + (" …" if flags[3:] else "")
        hints.append(f"if the columns of 0 and 1 are labels, pass {named}")
    return "".join(f"; {one}" for one in hints)


def label_column(head: Head, table: LabelledTableSettings) -> str:
    """The column of the label.

    Raises:
        DataError: it is missing or in doubt.
    """
    return head.find_column(table.label_column, LABEL_NAMES, "label")
