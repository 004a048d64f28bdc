"""The rows of a comparison: labels are read where they are, and never needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.errors import DataError
from bertline.lifecycle.comparison.rows import MOST_VALUES, read_rows
from bertline.lifecycle.comparison.settings import CompareSettings
from bertline.tasks import read_spec

CLASSIFY = read_spec({"task": "classify", "labels": ["bad", "good"]})
RANK = read_spec({"task": "rank"})


def table(folder: Path, *lines: str) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_column_of_labels_is_found_by_its_name_or_named(tmp_path: Path) -> None:
    path = table(tmp_path, "text,label,other", "fine,good,bad", "poor,bad,good")
    assert read_rows(path, CompareSettings(), CLASSIFY, "it").dataset.targets == ["good", "bad"]
    named = read_rows(path, CompareSettings(label_column="other"), CLASSIFY, "it")
    assert (named.labelled, named.dataset.targets) == (True, ["bad", "good"])
    assert not read_rows(path, CompareSettings(labelled=False), CLASSIFY, "it").labelled


def test_without_labels_rows_have_texts_only(tmp_path: Path) -> None:
    path = table(tmp_path, "text,source", "fine,web", "poor,mail")
    rows = read_rows(path, CompareSettings(slice_columns=("source",)), CLASSIFY, "it")
    assert not rows.labelled
    assert [one.fields["source"] for one in rows.dataset.examples] == ["web", "mail"]
    with pytest.raises(DataError, match="label"):
        read_rows(path, CompareSettings(labelled=True), CLASSIFY, "it")


def test_a_ranker_reads_queries_without_scores_too(tmp_path: Path) -> None:
    rows = read_rows(table(tmp_path, "query,text", "q,fine", "q,poor"), CompareSettings(), RANK, "it")
    assert [one.input for one in rows.dataset.examples] == [("q", "fine"), ("q", "poor")]


def test_labels_that_the_model_does_not_know_and_columns_of_names_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "text,label,id", *(f"text {n},odd,{n}" for n in range(MOST_VALUES + 1)))
    with pytest.raises(DataError, match="that it knows"):
        read_rows(path, CompareSettings(), CLASSIFY, "it")
    with pytest.raises(DataError, match=f"the column 'id' has {MOST_VALUES + 1} values, so they are no slices"):
        read_rows(path, CompareSettings(labelled=False, slice_columns=("id",)), CLASSIFY, "it")
