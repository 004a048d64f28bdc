from __future__ import annotations

import pytest

from bertline.data.head import Head
from bertline.data.outline import Outline
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import TableSettings
from bertline.errors import DataError
from bertline.inference.table_texts import checked_row, good_rows, input_of, text_columns


def head(*columns: str) -> Head:
    return Head("t.csv", "csv", (Row(2, dict.fromkeys(columns, "x")),))


def test_a_pair_is_two_columns() -> None:
    assert text_columns(TableSettings(), head("text", "text_pair", "n"), "pair") == ("text", "text_pair")
    assert input_of(Row(2, {"a": "one", "b": "two"}), ("a", "b")) == ("one", "two")
    assert input_of(Row(2, {"a": "one"}), ("a",)) == "one"


def test_a_model_of_single_texts_has_no_second_column() -> None:
    with pytest.raises(DataError, match="the model reads single texts; leave it out"):
        text_columns(TableSettings(text_pair_column="b"), head("a", "b"), "text")


@pytest.mark.parametrize("value", [None, "   ", 3])
def test_a_row_without_a_text_is_bad(value: object) -> None:
    row = checked_row(Row(2, {"text": value}), ["text"], lambda text: bool(text.strip()), Outline("t", "csv"), "")
    assert isinstance(row, BadRow)


def test_bad_rows_end_the_work_or_are_counted() -> None:
    rows = [Row(2, {}), BadRow(3, "empty"), Row(4, {})]
    bad = BadRows("t.csv")
    assert [row.line for row in good_rows(iter(rows), bad, skip=True)] == [2, 4]
    assert len(bad) == 1
    with pytest.raises(DataError, match="line 3: empty"):
        list(good_rows(iter(rows), BadRows("t.csv"), skip=False))
