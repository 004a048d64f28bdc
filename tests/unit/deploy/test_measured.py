from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.deploy.measured import ServerFigures, read_measured
from bertline.errors import DataError
from tests.unit.deploy.charts import MEASURED

FIGURES = MEASURED.model_dump()


def test_the_figures_of_a_plan_are_at_its_top_or_under_a_key(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for content in (FIGURES, {"measured": FIGURES, "replicas": 3}, FIGURES | {"price": 3}):
        path.write_text(json.dumps(content), encoding="utf-8")
        assert read_measured(path) == MEASURED


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"load_s": -1}, "load_s: Input should be greater than 0"),
        ({"threads": "many"}, "threads: Input should be a valid integer, unable to parse string as an integer"),
        ({"date": "yesterday"}, r"date: String should match pattern"),
    ],
)
def test_an_impossible_figure_is_named(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(FIGURES | changes), encoding="utf-8")
    with pytest.raises(DataError, match=f"plan.json: {sentence}.*; give the output of bertline plan --json$"):
        read_measured(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan.json cannot be read: No such file or directory; give the output"):
        read_measured(tmp_path / "plan.json")


def test_a_start_gets_ten_times_the_measured_time_and_at_least_a_minute() -> None:
    assert [ServerFigures(**FIGURES | {"load_s": one}).startup_s for one in (0.5, 6, 12.34)] == [60, 60, 123]
