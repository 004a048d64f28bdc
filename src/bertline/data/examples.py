"""A table to examples: the columns found, every row checked, and every fault told with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bertline.data.columns import ColumnInDoubt, field_of, text_fault
from bertline.data.formats import STANDARD, Location
from bertline.data.head import Head
from bertline.data.rows import BadRow, Row
from bertline.data.settings import AS_FOUND, LabelledTableSettings
from bertline.data.target_columns import TargetColumns, name_in
from bertline.data.target_kinds import Alike, AnyLabels, Scores, TargetKind
from bertline.data.targets import Target
from bertline.text.reading import Input

ANY_LABELS: TargetKind = AnyLabels()


@dataclass(frozen=True, slots=True)
class Example:
    """A text, or a pair of texts, and its target.

    Attributes:
        line: where its row starts.
        text: the first one of a pair.
        target: what a model is to learn.
        group: rows of one group belong together.
        fields: values in the slice columns.
        pair: the second text of a pair.
        negative: a text that is unlike the first one.
    """

    line: int
    text: str
    target: Target
    group: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    pair: str | None = None
    negative: str | None = None

    @property
    def input(self) -> Input:
        """What a network reads."""
        if self.pair is None:
            return self.text
        return (self.text, self.pair) if self.negative is None else (self.text, self.pair, self.negative)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The usable rows of a table in order, and how many were left out for which reason.

    ``text_columns`` are the columns of what a network reads, in its order, by the settings that name them; ``unread``
    are columns of the first rows that are neither text, target, group nor slice.
    """

    source: str
    examples: tuple[Example, ...]
    text_columns: Mapping[str, str]
    columns: TargetColumns
    skipped: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def targets(self) -> list[Target]:
        """Of the examples."""
        return [one.target for one in self.examples]

    @property
    def settings(self) -> dict[str, str | tuple[str, ...]]:
        """The columns as the settings of a table name them."""
        return {**self.text_columns, **self.columns.settings}


def read_examples(
    source: Location,
    table: LabelledTableSettings = AS_FOUND,
    *,
    kind: TargetKind = ANY_LABELS,
    pairs: bool = False,
    group_column: str | None = None,
    slice_columns: Sequence[str] = (),
    trainable: bool = True,
    like: Dataset | None = None,
) -> Dataset:
    """Read a table of texts and their targets.

    Args:
        source: a path or ``-``.
        table: how it is read; columns that it does not name are found by name.
        kind: of the targets.
        pairs: whether the rows are pairs of texts; they are too if ``table`` names the column of the second one.
        group_column: rows that share a value here belong together; a null belongs to itself.
        slice_columns: columns to keep in ``Example.fields``.
        trainable: ask for targets that something can be learned from. False for a table to evaluate on.
        like: a table whose columns are taken here too, where this one has them.

    Raises:
        DataError: the table cannot be read, a column is missing or in doubt, rows are bad, or there is
        nothing to learn.
    """
    head, rows = table.opened(source)
    head.require_rows(kind.wanted, skip=table.skip_bad_rows)
    if like is not None:
        table = _with_columns(table, like, head.columns)
    columns = _Columns.find(head, table, kind, pairs, group_column, slice_columns)
    examples: list[Example] = []
    bad = head.bad_rows()
    for row in rows:
        one = columns.example(row) if isinstance(row, Row) else row
        if isinstance(one, BadRow):
            bad.add(one)
        else:
            examples.append(one)
    if bad and (not table.skip_bad_rows or not examples):
        raise bad.error(skipped=table.skip_bad_rows)
    unread = columns.without(head.columns)
    dataset = Dataset(head.source, tuple(examples), columns.texts, columns.target, dict(bad.counts), unread)
    if trainable:
        columns.target.check(dataset.targets)
    return dataset


def check_head(source: Location, table: LabelledTableSettings, kind: TargetKind = ANY_LABELS) -> None:
    """Read the first rows of a file alone: can it be read, and has it these columns? Pipes are not touched.

    Which of several columns it may be, another table can tell.

    Raises:
        DataError: as ``read_examples``, which reads all of it.
    """
    if source == STANDARD or (Path(source).exists() and not Path(source).is_file()):
        return
    head, _ = table.opened(source)
    if head.columns:
        with suppress(ColumnInDoubt):
            _text_columns(head, table, kind)
        with suppress(ColumnInDoubt):
            kind.find(head, table)


def _text_columns(
    head: Head, table: LabelledTableSettings, kind: TargetKind, *, pairs: bool = False
) -> Mapping[str, str]:
    if isinstance(kind, Alike):
        return table.find_alike_columns(head)
    return table.find_text_columns(head, "query" if isinstance(kind, Scores) else "pair" if pairs else "text")


def _with_columns(table: LabelledTableSettings, like: Dataset, columns: Sequence[str]) -> LabelledTableSettings:
    """The settings with the columns of another table, where they name none and this table has them."""
    taken: dict[str, object] = {}
    for name, column in like.settings.items():
        wanted = (column,) if isinstance(column, str) else column
        if not getattr(table, name) and set(wanted) <= set(columns):
            taken[name] = column
    return table.model_copy(update=taken)


@dataclass(frozen=True, slots=True)
class _Columns:
    texts: Mapping[str, str]
    target: TargetColumns
    group: str | None
    slices: tuple[str, ...]

    @classmethod
    def find(
        cls,
        head: Head,
        table: LabelledTableSettings,
        kind: TargetKind,
        pairs: bool,
        group: str | None,
        slices: Sequence[str],
    ) -> _Columns:
        return cls(
            _text_columns(head, table, kind, pairs=pairs),
            kind.find(head, table),
            None if group is None else head.check_column(group, "--group-column"),
            tuple(head.check_column(one, "--slice-columns") for one in slices),
        )

    def without(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The other ones of a table's columns."""
        targets = [one if isinstance(one, tuple) else (one,) for one in self.target.settings.values()]
        used = {*self.texts.values(), *(name for some in targets for name in some), self.group, *self.slices}
        return tuple(one for one in columns if one not in used)

    def example(self, row: Row) -> Example | BadRow:
        """The row as an example, or what it lacks."""
        values = row.values
        for column in self.texts.values():
            if fault := text_fault(row, column):
                return fault
        target = self.target.target(row)
        if isinstance(target, BadRow):
            return target
        group = None if self.group is None else name_in(row, self.group)
        if isinstance(group, BadRow):
            return group
        fields = {one: field_of(values, one) for one in self.slices}
        first, *second = (str(values[column]) for column in self.texts.values())
        return Example(row.line, first, target, group, fields, *second)
