"""A table to evaluate on has to share labels, or types of entities, with the model."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.data.examples import Dataset
from bertline.data.labels import Labels
from bertline.data.targets import entities_in, names_of
from bertline.errors import DataError


def check_shared_names(dataset: Dataset, names: Sequence[str], of: str) -> None:
    """Refuse a table none of whose labels or types is among ``names``; one without any has nothing to share.

    Args:
        dataset: the table.
        names: what is known.
        of: whose names they are, to follow "no row has one".

    Raises:
        DataError: the table shares none.
    """
    known = Labels(tuple(names))
    named = [(one, name) for one in dataset.examples for name in names_of(one.target)]
    if not names or not named or any(name in known for _, name in named):
        return
    example, name = named[0]
    has, what = ("an entity of type", "types") if entities_in(example.target) else ("the label", "labels")
    raise DataError(
        f"{dataset.source} line {example.line} has {has} {name!r}, and no row has one {of} ({', '.join(names)}): give "
        f"a table with these {what}{dataset.columns.remedy}"
    )
