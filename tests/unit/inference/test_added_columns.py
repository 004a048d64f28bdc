from __future__ import annotations

import pytest

from bertline.data.rows import Row
from bertline.errors import DataError
from bertline.inference import Prediction
from bertline.inference.added_columns import AddedColumns
from bertline.tasks.classify.answer import Number

PREDICTION = Prediction("b", {"a": 0.25, "b": 0.7500004, "c": 0.0}, read_tokens=8, cut_tokens=3)


def test_each_rank_has_its_columns() -> None:
    added = AddedColumns.choose(["text"], [*PREDICTION.columns(2)], "reviews")
    assert added.values(Row(2, {"text": "x"}), PREDICTION, "in.csv", {"top_k": 2}) == {
        "predicted_label": "b",
        "probability": 0.75,
        "label_2": "a",
        "probability_2": 0.25,
        "cut_tokens": 3,
    }
    assert added.sentence() is None


@pytest.mark.parametrize(
    ("existing", "prefix"),
    [
        (["probability"], "reviews_"),
        (["predicted_label", "reviews_cut_tokens"], "reviews_2_"),
        (["cut_tokens", "reviews_probability", "reviews_2_probability"], "reviews_3_"),
    ],
)
def test_columns_of_the_table_are_never_overwritten(existing: list[str], prefix: str) -> None:
    added = AddedColumns.choose(["text", *existing], [*PREDICTION.columns()], "reviews")
    assert added.columns == [f"{prefix}{name}" for name in ("predicted_label", "probability", "cut_tokens")]
    assert added.sentence() == (f"note: the table already has {existing[0]}: the added columns begin with {prefix}")


def test_an_unrequested_rank_column_takes_no_name() -> None:
    assert AddedColumns.choose(["label_2"], [*PREDICTION.columns()], "reviews").prefix == ""
    assert AddedColumns.choose(["label_2"], [*PREDICTION.columns(2)], "reviews").prefix == "reviews_"


def test_a_later_row_with_a_new_key_is_an_error() -> None:
    with pytest.raises(DataError, match="standard input line 7 has 'probability', which the first rows lack"):
        AddedColumns.choose(["text"], [*PREDICTION.columns()], "reviews").values(
            Row(7, {"probability": 1}), PREDICTION, "standard input"
        )


def test_several_labels_and_numbers_have_columns_of_their_own() -> None:
    several = Prediction("b", {"a": 0.25, "b": 0.75, "c": 0.0}, read_tokens=8, cut_tokens=3, labels=("a", "b"))
    for answer, expected in (
        (several, {"predicted_label": "b", "probability": 0.75, "predicted_labels": ["a", "b"], "cut_tokens": 3}),
        (Number(2.125, read_tokens=8, cut_tokens=0), {"predicted_number": 2.125, "cut_tokens": 0}),
    ):
        added = AddedColumns.choose(["text"], [*answer.columns()], "reviews")
        assert added.columns == [*expected]
        assert added.values(Row(2, {"text": "x"}), answer, "in.csv") == expected
