"""Bounds of figures; the command is tested in tests/unit/cli/test_evaluate.py."""

from __future__ import annotations

import math

import pytest

from bertline.evaluation.bounds import Bound, BoundMissed, check_bounds


@pytest.mark.parametrize(
    ("value", "least", "greatest"), [(0.8, True, True), (0.81, True, False), (math.nan, False, False)]
)
def test_equality_passes_and_what_is_no_number_does_not(value: float, least: bool, greatest: bool) -> None:
    assert Bound("accuracy", 0.8, least=True).keeps(value) is least
    assert Bound("accuracy", 0.8, least=False).keeps(value) is greatest


def test_the_message_names_each_figure_that_is_outside() -> None:
    metrics = {"accuracy": {"value": 0.75, "low": 0.7, "high": 0.8}, "ece": {"value": 0.04, "low": 0.02, "high": 0.06}}
    bounds = [Bound("accuracy", 0.8, least=True), Bound("ece", 0.05, least=False)]
    with pytest.raises(BoundMissed) as missed:
        check_bounds(bounds, metrics, "9 rows of a.csv")
    assert str(missed.value) == (
        "on 9 rows of a.csv accuracy is 0.75 (95\u202f% 0.7 to 0.8), below the minimum of 0.8: do not release this "
        "bundle"
    )
