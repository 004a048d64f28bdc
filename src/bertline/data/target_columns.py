"""The columns of a table that hold the targets, and what makes a row unusable."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from bertline.data.columns import finite_number, name_of_value
from bertline.data.entities import Entity, row_entities
from bertline.data.label_lists import is_list, list_in, shown_by_python
from bertline.data.names import told_apart
from bertline.data.rows import BadRow, Row, fault_of
from bertline.data.targets import Target, names_of
from bertline.errors import DataError

Settings = Mapping[str, str | tuple[str, ...]]
_FLAGS: Mapping[str, object] = {"true": 1, "false": 0}
_ON, _OFF = ("1", "true"), ("0", "false")
AS_JSON = 'write lists as JSON, such as ["a", "b"]'


@runtime_checkable
class TargetColumns(Protocol):
    """The columns of one table that hold the targets."""

    @property
    def settings(self) -> Settings:
        """The columns as the settings of a table name them."""
        ...

    @property
    def remedy(self) -> str:
        """How to choose other columns, to end a message; empty for a format that leaves no choice."""
        ...

    @property
    def spellings(self) -> tuple[str, ...]:
        """Labels that rows spell in several ways and that count as one, each as a sentence."""
        ...

    def target(self, row: Row) -> Target | BadRow:
        """The target of a row, or why it has none."""
        ...

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse targets that nothing can be learned from.

        Raises:
            DataError: they are all alike, say.
        """
        ...


@dataclass
class _Spellings:
    """How rows spell each label."""

    of: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, label: str, value: object) -> None:
        if isinstance(value, str):
            self.of.setdefault(label, {})[value.strip()] = None

    @property
    def sentences(self) -> tuple[str, ...]:
        out: list[str] = []
        for label, spellings in self.of.items():
            ways = list(dict.fromkeys([*spellings, label]))  # the label's own may occur nowhere
            if len(ways) > 1:
                out.append(f"{label!r} is spelt {' and '.join(told_apart(ways)[: len(spellings)])}")
        return tuple(out)


class LabelColumn:
    """One label per text, in one column.

    Args:
        source: name of the table.
        column: of the labels.
        lists: how to learn lists of labels, for messages. None takes a text that shows a list as a name.
        numbers: how to learn numbers, for messages.
    """

    remedy = ", or name another --label-column"

    def __init__(self, source: str, column: str, *, lists: str | None = None, numbers: str = "") -> None:
        self.source, self.column, self._spelt = source, column, _Spellings()
        self.lists, self.numbers = lists, numbers
        self.settings: Settings = {"label_column": column}

    @property
    def spellings(self) -> tuple[str, ...]:
        """Of the labels."""
        return self._spelt.sentences

    def target(self, row: Row) -> str | BadRow:
        """The label."""
        if self.column not in row.values:
            return BadRow(row.line, f"no column {self.column!r}")
        value = row.values[self.column]
        if self.lists is not None and (is_list(value) or shown_by_python(value)):
            return self._list(row.line, value)
        label = name_in(row, self.column)
        if label is None:
            return BadRow(row.line, f"null label in column {self.column!r}")
        if isinstance(label, str):
            self._spelt.add(label, value)
        elif self.numbers and isinstance(value, float | Decimal) and math.isfinite(value):
            return BadRow(row.line, f"a fraction as the label in column {self.column!r}", f"{value}: {self.numbers}")
        return label

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a table with one label, or with a label a row, as a column of ids has."""
        counts = Counter(targets)
        [(commonest, most)] = counts.most_common(1)
        if len(counts) > 1 and most > 1:
            return
        which = f"only the label {commonest!r}" if most > 1 else "no label with two examples"
        amounts = self.numbers and all(finite_number(str(one)) is not None for one in counts)
        numbers = f", or {self.numbers}" if amounts else ""
        raise DataError(
            f"{self.source} has {which} in column {self.column!r}: give examples of at least two labels"
            f"{self.remedy}{numbers}"
        )

    def _list(self, line: int, value: object) -> BadRow:
        """Why a list of labels is no label."""
        if shown_by_python(value):
            return BadRow(line, f"a list that is not JSON in column {self.column!r}", f"{value}: {AS_JSON}")
        return BadRow(line, f"a list where a row has one label, in column {self.column!r}", self.lists or "")


class LabelsColumn:
    """Several labels per text, in one column: a list, or a string with a separator.

    A text that is a JSON list is one with a separator, too.
    """

    remedy = LabelColumn.remedy

    def __init__(self, source: str, column: str, separator: str | None) -> None:
        self.source, self.column, self.separator, self._spelt = source, column, separator, _Spellings()
        self.settings: Settings = {"label_column": column}

    @property
    def spellings(self) -> tuple[str, ...]:
        """Of the labels."""
        return self._spelt.sentences

    def target(self, row: Row) -> tuple[str, ...] | BadRow:
        """The labels, sorted; a null or an empty cell means that there are none."""
        value = row.value(self.column)
        if isinstance(value, BadRow):
            return value
        listed = self._listed(value)
        if listed is None:
            remedy = AS_JSON if shown_by_python(value) else "name what separates labels with --label-separator"
            shown = f"{value!r}: {remedy}" if isinstance(value, str) else fault_of(value)
            return BadRow(row.line, f"no list of labels in column {self.column!r}", shown)
        labels: set[str] = set()
        for one in listed:
            try:
                label = name_of_value(one)
            except TypeError as error:
                spans = "; entities are learned with --task tag" if isinstance(one, Mapping | list) else ""
                return BadRow(row.line, f"a label that is no name in column {self.column!r}", f"{error}{spans}")
            if label is not None:
                labels.add(label)
                self._spelt.add(label, one)
        return tuple(sorted(labels))

    def _listed(self, value: object) -> Sequence[object] | None:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ()
        if isinstance(value, str):
            listed = list_in(value)
            if listed is None and self.separator is not None and not shown_by_python(value):
                return value.split(self.separator)
            return listed if value.strip() else ()
        return value if isinstance(value, list | tuple) else None

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a table in which no label occurs twice."""
        _check_several(self.source, f"in column {self.column!r}", targets)


class FlagColumns:
    """Several labels per text, a column of 0 and 1 for each."""

    remedy = ", or correct --label-columns"
    spellings = ()

    def __init__(self, source: str, columns: Mapping[str, str]) -> None:
        self.source, self.columns = source, columns  # label → column
        self.settings: Settings = {"label_columns": tuple(columns.values())}

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the columns."""
        return tuple(self.columns)

    def target(self, row: Row) -> tuple[str, ...] | BadRow:
        """The labels whose column has a 1."""
        labels = []
        for label, column in self.columns.items():
            if column not in row.values:
                return BadRow(row.line, f"no column {column!r}")
            flag = name_in(row, column)
            if not isinstance(flag, str) or flag.casefold() not in (*_ON, *_OFF):
                shown = flag.detail if isinstance(flag, BadRow) else f"it is {'null' if flag is None else repr(flag)}"
                return BadRow(row.line, f"neither 0 nor 1 in column {column!r}", shown)
            if flag.casefold() in _ON:
                labels.append(label)
        return tuple(sorted(labels))

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a table in which no label occurs twice."""
        _check_several(self.source, f"in the columns {', '.join(map(repr, self.columns.values()))}", targets)


class NoColumn:
    """No target: what a row says is in its texts."""

    settings: Settings = MappingProxyType({})
    remedy, spellings = "", ()

    def target(self, row: Row) -> tuple[str, ...]:
        """None."""
        return ()

    def check(self, targets: Sequence[Target]) -> None:
        """Nothing can be wrong with them."""


class NumberColumn:
    """A number per text.

    Args:
        source: name of the table.
        column: of the numbers.
        setting: the setting that names it.
        least: the lowest number allowed; booleans count as 0 and 1 where there is one.
    """

    spellings = ()

    def __init__(self, source: str, column: str, setting: str = "label_column", *, least: float | None = None) -> None:
        self.source, self.column, self.least = source, column, least
        self.remedy = f", or name another --{setting.replace('_', '-')}"
        self.settings: Settings = {setting: column}

    def target(self, row: Row) -> float | BadRow:
        """The number."""
        value = row.value(self.column)
        if isinstance(value, BadRow):
            return value
        if value is None or (isinstance(value, str) and not value.strip()):
            return BadRow(row.line, f"null in column {self.column!r}")
        if self.least is not None and isinstance(value, str):
            value = _FLAGS.get(value.strip().casefold(), value)
        try:
            number = float(value) if isinstance(value, str | int | float | Decimal) else math.nan
        except ValueError:
            number = math.nan
        if (isinstance(value, bool) and self.least is None) or not math.isfinite(number):
            shown = f"it is {value!r}" if isinstance(value, str) else fault_of(value)
            return BadRow(row.line, f"no finite number in column {self.column!r}", shown)
        if self.least is not None and number < self.least:
            return BadRow(row.line, f"a number below {self.least:g} in column {self.column!r}", f"it is {value!r}")
        return number

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a table with one number only."""
        if len({*targets}) < 2:
            raise DataError(
                f"{self.source} has only the number {targets[0]} in column {self.column!r}: "
                f"give examples with different numbers{self.remedy}"
            )


class EntitiesColumn:
    """Entities of a text, in one column (``data.entities``)."""

    def __init__(self, source: str, column: str, text_column: str, *, conll: bool = False) -> None:
        self.source, self.column, self.text_column, self._spelt = source, column, text_column, _Spellings()
        self.remedy = "" if conll else ", or name another --entities-column"
        self.settings: Settings = {"entities_column": column}

    @property
    def spellings(self) -> tuple[str, ...]:
        """Of the types."""
        return self._spelt.sentences

    def target(self, row: Row) -> tuple[Entity, ...] | BadRow:
        """The entities in their order in the text."""
        return row_entities(row, self.column, str(row.values[self.text_column]), self._spelt.add)

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a table without entities."""
        if not any(targets):
            raise DataError(
                f"{self.source} has no entities in column {self.column!r}: give texts of which some have entities"
            )


def name_in(row: Row, column: str) -> str | BadRow | None:
    """The name in a column of a row, None for a null, or why it is no name."""
    try:
        return name_of_value(row.values.get(column))
    except TypeError as error:
        reason = f"neither a string, an integer nor a boolean in column {column!r}"
        return BadRow(row.line, reason, str(error))


def _check_several(source: str, where: str, targets: Sequence[Target]) -> None:
    counts = Counter(name for one in targets for name in names_of(one))
    if counts and min(counts.values()) == len(targets) > 1:
        names = ", ".join(counts)
        raise DataError(f"{source} gives every text the same labels ({names}) {where}: give texts that differ in them")
    if max(counts.values(), default=0) > 1:
        return
    raise DataError(
        f"{source} has no label with two examples {where}: give texts of which some share a label, or correct "
        "--label-columns, --label-column or --label-separator"
    )
