"""A report prints, converts, and shows itself in a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

import bertline
from bertline.library.report import figure_rows
from bertline.statistics.intervals import Estimate


@pytest.fixture
def report() -> bertline.Report:
    rows = figure_rows([("accuracy", Estimate(0.843, 0.82, 0.864)), ("NLL <i>", Estimate(1.2345, 1.0, 1.5))])
    return bertline.Report("reviews: 90 rows", Path("reviews"), rows, {"metrics": {"nll": 1}}, ("2 rows are odd",))


def test_it_prints_as_a_table(report: bertline.Report) -> None:
    assert str(report).splitlines() == [
        "reviews: 90 rows",
        "figure    value    low   high",
        "accuracy  0.843  0.820  0.864",
        "NLL <i>   1.234  1.000  1.500",
        "note: 2 rows are odd",
        "bundle: reviews",
    ]


def test_a_row_is_found_by_its_name_and_a_wrong_name_is_one_sentence(report: bertline.Report) -> None:
    assert report["accuracy"] == {"figure": "accuracy", "value": 0.843, "low": 0.82, "high": 0.864}
    with pytest.raises(KeyError) as refused:
        report["acuracy"]
    assert refused.value.args == ("the report has no row acuracy: did you mean accuracy?",)


def test_it_returns_a_copy(report: bertline.Report) -> None:
    report["accuracy"]["value"] = 0
    report.to_rows()[0]["value"] = 0
    report.to_dict()["metrics"]["nll"] = 0
    assert report["accuracy"]["value"] == 0.843
    assert report.to_dict() == {"metrics": {"nll": 1}}


def test_it_is_a_table_of_pandas_by_name(report: bertline.Report) -> None:
    table = report.to_pandas()
    assert list(table.columns) == ["value", "low", "high"]
    assert table.loc["accuracy", "low"] == 0.82


def test_a_notebook_shows_the_table_and_the_notes(report: bertline.Report) -> None:
    html = report._repr_html_()
    assert '<th class="number">value</th>' in html
    assert '<td class="number">0.843</td>' in html
    assert "NLL &lt;i&gt;" in html
    assert "<i>" not in html
    assert "2 rows are odd" in html
