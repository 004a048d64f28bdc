"""Columns are found by name, and what is in doubt is asked, with the columns there are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bertline.data.columns import LABEL_NAMES, TEXT_NAMES, check_column, field_of, find_column, name_of_value
from bertline.errors import DataError


@pytest.mark.parametrize("name", [*TEXT_NAMES, "Text", "REVIEW", " sentence "])
def test_the_text_is_found_by_its_name(name: str) -> None:
    assert find_column("t.csv", ["id", name, "label"], None, TEXT_NAMES, "text") == name


@pytest.mark.parametrize("name", [*LABEL_NAMES, "Sentiment"])
def test_the_label_is_found_by_its_name(name: str) -> None:
    assert find_column("t.csv", ["text", name, "source"], None, LABEL_NAMES, "label") == name


def test_no_name_is_for_both() -> None:
    assert not set(TEXT_NAMES) & set(LABEL_NAMES)


def test_a_given_column_beats_its_names() -> None:
    assert find_column("t.csv", ["text", "review"], "review", TEXT_NAMES, "text") == "review"
    assert find_column("t.csv", ["Titel", "text"], "titel", TEXT_NAMES, "text") == "Titel"


def test_two_candidate_columns_raise_a_question() -> None:
    with pytest.raises(DataError) as error:
        find_column("t.csv", ["text", "Review", "label"], None, TEXT_NAMES, "text")
    assert str(error.value) == (
        "t.csv could take its text from 'text' and 'Review': name it with --text-column "
        "(its columns are 'text', 'Review', 'label')"
    )


def test_a_missing_column_raises_a_question() -> None:
    with pytest.raises(DataError) as error:
        find_column("t.csv", ["text", "stars"], None, LABEL_NAMES, "label")
    assert str(error.value) == (
        "t.csv has no column with a usual name for the label: name it with --label-column "
        "(its columns are 'text', 'stars')"
    )


def test_a_given_column_that_is_not_there() -> None:
    with pytest.raises(DataError) as error:
        find_column("t.csv", ["text", "label"], "txt", TEXT_NAMES, "text")
    assert (
        str(error.value)
        == "t.csv has no column 'txt': correct --text-column or rename the column (its columns are 'text', 'label')"
    )


def test_case_is_ignored_only_where_that_leaves_one() -> None:
    assert check_column("t.csv", ["Source", "source"], "source", "--group-column") == "source"
    with pytest.raises(DataError, match=r"t\.csv has no column 'SOURCE': correct --group-column"):
        check_column("t.csv", ["Source", "source"], "SOURCE", "--group-column")


def test_many_and_long_columns_are_shortened() -> None:
    columns = [f"{'x' * 100}{i}" for i in range(30)]
    with pytest.raises(DataError, match=rf"\(its columns are '{'x' * 59}…', .* and 10 more\)"):
        check_column("t.csv", columns, "y", "--group-column")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("pos", "pos"),
        (" pos\n", "pos"),
        ("", None),
        ("\t ", None),
        (None, None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-3, "-3"),
        (2.0, "2"),
        (Decimal("2.00"), "2"),
        ("1.0", "1.0"),
        ("True", "True"),
    ],
)
def test_names_of_values(value: object, name: str | None) -> None:
    assert name_of_value(value) == name


@pytest.mark.parametrize("value", [0.5, float("inf"), Decimal("-Infinity"), [], {}, b"pos"])
def test_values_that_are_not_names(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        name_of_value(value)


def test_fields_to_break_figures_down_by_are_always_strings() -> None:
    values = {"a": None, "b": 1.5, "c": ["x"], "d": True, "e": " web "}
    assert [field_of(values, column) for column in "abcdef"] == ["", "1.5", "['x']", "true", "web", ""]
