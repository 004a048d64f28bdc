"""The columns of the tables of a snapshot, whatever the columns were that their rows came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertline.data.examples import Dataset, Example
from bertline.data.targets import to_json
from bertline.text.reading import texts_of

GROUP = "split_group"
_TEXTS = {
    "text_column": "text",
    "text_pair_column": "text_pair",
    "query_column": "query",
    "negative_column": "negative",
}
_TARGETS = {
    "label_column": "label",
    "label_columns": "label",  # a column of each label becomes a list of labels
    "entities_column": "entities",
    "score_column": "score",
}


def row(example: Example, dataset: Dataset) -> dict[str, Any]:
    """An example as a row of a snapshot."""
    texts = dict(zip((_TEXTS[name] for name in dataset.text_columns), texts_of(example.input), strict=True))
    targets = {_TARGETS[name]: to_json(example.target) for name in dataset.columns.settings if name in _TARGETS}
    group = {} if example.group is None else {GROUP: example.group}
    return {**example.fields, **group, **texts, **targets}


def settings_of(dataset: Dataset, slices: Sequence[str] = (), *, grouped: bool = False) -> Mapping[str, Any]:
    """How the tables of a snapshot are read, as settings of a table: those that ``row`` writes."""
    texts = {name: _TEXTS[name] for name in dataset.text_columns}
    named = {"label_column" if name == "label_columns" else name for name in dataset.columns.settings}
    targets = {name: _TARGETS[name] for name in named if name in _TARGETS}
    group = {"group_column": GROUP} if grouped else {}
    return {**texts, **targets, **group, "slice_columns": tuple(slices), "format": "jsonl"}
