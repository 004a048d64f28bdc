"""What a table of single labels may hold instead, by the look of its labels and of the columns that are not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bertline.data.columns import PAIR_NAMES, QUERY_NAMES, candidates, finite_number
from bertline.data.examples import Dataset
from bertline.data.labels import ordered
from bertline.data.target_columns import LabelColumn

SEPARATORS = ";|"
MANY = 20  # labels: more whole numbers with gaps between them are rather amounts than codes


def label_hints(dataset: Dataset) -> Iterator[str]:
    """A sentence for each sign that single labels of single texts are not what the table has."""
    if isinstance(dataset.columns, LabelColumn) and dataset.columns.numbers:  # else single labels were asked for
        labels = ordered(str(one) for one in dataset.targets)
        yield from _joined(labels, dataset.columns.column)
        yield from _amounts(labels, dataset.columns.column)
    if "label_column" in dataset.settings and len(dataset.text_columns) == 1:
        yield from _second_text(dataset.unread)


def _joined(labels: Sequence[str], column: str) -> Iterator[str]:
    """Labels of which several share a part."""
    for separator in SEPARATORS:
        joined = [one for one in labels if separator in one]
        parts = [{part.strip() for part in one.split(separator)} - {""} for one in labels]
        if joined and len(set().union(*parts)) < sum(map(len, parts)):
            yield (
                f"{len(joined):,} of {len(labels):,} labels in column {column!r} have a {separator!r}, such as "
                f"{joined[0]!r}, and each is learned as one label: if it separates labels, pass "
                f"--label-separator '{separator}'"
            )


def _amounts(labels: Sequence[str], column: str) -> Iterator[str]:
    """Numbers with fractions, or many with gaps between them."""
    numbers = [finite_number(one) for one in labels]
    values = [one for one in numbers if one is not None]
    if len(values) < len(labels):
        return
    fractions = any(one != int(one) for one in values)
    if fractions or (len(values) > MANY and max(values) - min(values) >= len(values)):
        yield (
            f"the labels in column {column!r} are {len(labels):,} numbers, and each is learned as a label of its own: "
            "if they are amounts, pass --problem number"
        )


def _second_text(unread: Sequence[str]) -> Iterator[str]:
    """Columns with a usual name for a second text, or for a query."""
    for column in candidates(unread, PAIR_NAMES):
        yield f"the column {column!r} is not read: to classify pairs of texts, pass --text-pair-column {column}"
    for column in candidates(unread, QUERY_NAMES):
        yield f"the column {column!r} is not read: to rank texts for queries, pass --task rank"
