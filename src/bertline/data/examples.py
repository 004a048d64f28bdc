"""A table to labelled examples: the columns found, every row checked, and every fault told with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from bertline.data.columns import (
    LABEL_NAMES,
    TEXT_NAMES,
    candidates,
    check_column,
    field_of,
    find_column,
    hint_of,
    name_of_value,
    text_fault,
)
from bertline.data.formats import STANDARD, Location, format_of, name_of
from bertline.data.names import told_apart
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import AS_FOUND, LabelledTableSettings
from bertline.errors import DataError

LOOKAHEAD_ROWS = 100  # whose keys are a JSON lines file's columns


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its label; ``line`` is where its row starts, ``fields`` its values in the slice columns."""

    line: int
    text: str
    label: str
    group: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The usable rows of a table in order, and how many were left out for which reason."""

    source: str
    examples: tuple[Example, ...]
    text_column: str
    label_column: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    spellings: tuple[str, ...] = ()  # of labels that are spelt in several ways and taken as one, each as a sentence


def read_examples(
    source: Location,
    table: LabelledTableSettings = AS_FOUND,
    *,
    group_column: str | None = None,
    slice_columns: Sequence[str] = (),
    trainable: bool = True,
    like: Dataset | None = None,
) -> Dataset:
    """Read a table of labelled text.

    Args:
        source: a path or ``-``.
        table: how it is read; columns that it does not name are found by name.
        group_column: rows that share a value here belong together; a null belongs to itself.
        slice_columns: columns to keep in ``Example.fields``.
        trainable: ask for two labels or more, one of them with two examples or more. False for a table to
            evaluate on.
        like: a table whose columns are taken here too, where this one has them.

    Raises:
        DataError: the table cannot be read, a column is not there or in doubt, rows are bad, or there is
        nothing to learn.
    """
    name, kind = name_of(source, "input"), format_of(source, table.format)
    bad = BadRows(name, "row" if kind == "parquet" else "line")
    rows, header = table.rows(source), not table.no_header
    head = _lookahead(rows)
    seen = tuple(dict.fromkeys(column for row in head if isinstance(row, Row) for column in row.values))
    if not seen:
        raise _nothing(name, kind, head, bad, table.skip_bad_rows, header)
    text_column, label_column = table.text_column, table.label_column
    if like is not None:
        text_column = text_column or (like.text_column if like.text_column in seen else None)
        label_column = label_column or (like.label_column if like.label_column in seen else None)
    hint = hint_of(kind, seen, header=header)
    columns = _Columns.find(name, seen, text_column, label_column, group_column, slice_columns, hint)
    examples: list[Example] = []
    spelt: dict[str, dict[str, None]] = {}  # label → its spellings in their order
    for row in chain(head, rows):
        one = columns.example(row) if isinstance(row, Row) else row
        if isinstance(one, BadRow):
            bad.add(one)
        else:
            examples.append(one)
            if isinstance(row, Row) and isinstance(label := row.values[columns.label], str):
                spelt.setdefault(one.label, {})[label.strip()] = None
    if bad and (not table.skip_bad_rows or not examples):
        raise bad.error(skipped=table.skip_bad_rows)
    if trainable:
        _check_labels(examples, columns)
    return Dataset(name, tuple(examples), columns.text, columns.label, dict(bad.counts), _spellings(spelt))


def _spellings(spelt: Mapping[str, Mapping[str, None]]) -> tuple[str, ...]:
    sentences: list[str] = []
    for label, spellings in spelt.items():
        ways = list(dict.fromkeys([*spellings, label]))  # the label's own may occur nowhere
        if len(ways) > 1:
            shown = told_apart(ways)[: len(spellings)]
            sentences.append(f"{label!r} is spelt {' and '.join(shown)}")
    return tuple(sentences)


def check_head(source: Location, table: LabelledTableSettings) -> None:
    """Read the first rows of a file alone: can it be read, and has it these columns? Pipes are not touched.

    Which of several columns it may be, another table can tell.

    Raises:
        DataError: as ``read_examples``, which reads all of it.
    """
    if source == STANDARD or (Path(source).exists() and not Path(source).is_file()):
        return
    head = _lookahead(table.rows(source))
    seen = tuple(dict.fromkeys(column for row in head if isinstance(row, Row) for column in row.values))
    name = name_of(source, "input")
    hint = hint_of(format_of(source, table.format), seen, header=not table.no_header)
    for what, names, given in (("text", TEXT_NAMES, table.text_column), ("label", LABEL_NAMES, table.label_column)):
        if seen and (given is not None or len(candidates(seen, names)) < 2):
            find_column(name, seen, given, names, what, hint)


def _lookahead(rows: Iterator[Row | BadRow]) -> list[Row | BadRow]:
    head: list[Row | BadRow] = []
    good = 0
    for row in rows:
        head.append(row)
        good += isinstance(row, Row)
        if good == LOOKAHEAD_ROWS:
            break
    return head


def _nothing(name: str, kind: str, head: Sequence[Row | BadRow], bad: BadRows, skip: bool, header: bool) -> DataError:
    for row in head:
        if isinstance(row, BadRow):
            bad.add(row)
    if bad:
        return bad.error(skipped=skip)
    what = "a header line but no rows" if kind in ("csv", "tsv") else "no rows"
    hint = hint_of(kind, (), header=header)
    return DataError(f"{name} has {what}: give rows with a text and a label{hint}")


@dataclass(frozen=True, slots=True)
class _Columns:
    source: str
    text: str
    label: str
    group: str | None
    slices: tuple[str, ...]

    @classmethod
    def find(
        cls,
        source: str,
        columns: Sequence[str],
        text: str | None,
        label: str | None,
        group: str | None,
        slices: Sequence[str],
        hint: str,
    ) -> _Columns:
        return cls(
            source,
            find_column(source, columns, text, TEXT_NAMES, "text", hint),
            find_column(source, columns, label, LABEL_NAMES, "label", hint),
            None if group is None else check_column(source, columns, group, "--group-column"),
            tuple(check_column(source, columns, one, "--slice-columns") for one in slices),
        )

    def example(self, row: Row) -> Example | BadRow:
        """The row as an example, or what it lacks."""
        values = row.values
        if fault := text_fault(row, self.text):
            return fault
        if self.label not in values:
            return BadRow(row.line, f"no column {self.label!r}")
        label = _name(row, self.label)
        group = None if self.group is None else _name(row, self.group)
        if label is None:
            return BadRow(row.line, f"null label in column {self.label!r}")
        if isinstance(label, BadRow):
            return label
        if isinstance(group, BadRow):
            return group
        return Example(
            row.line, str(values[self.text]), label, group, {one: field_of(values, one) for one in self.slices}
        )


def _name(row: Row, column: str) -> str | BadRow | None:
    try:
        return name_of_value(row.values.get(column))
    except TypeError as error:
        reason = f"neither a string, an integer nor a boolean in column {column!r}"
        return BadRow(row.line, reason, str(error))


def _check_labels(examples: Sequence[Example], columns: _Columns) -> None:
    """Refuse a table of which nothing can be learned, or nothing be held out: a column of ids has a label a row."""
    counts = Counter(one.label for one in examples)
    [(commonest, most)] = counts.most_common(1)
    if len(counts) > 1 and most > 1:
        return
    which = f"only the label {commonest!r}" if most > 1 else "no label with two examples"
    raise DataError(
        f"{columns.source} has {which} in column {columns.label!r}: "
        "give examples of at least two labels, or name another --label-column"
    )
