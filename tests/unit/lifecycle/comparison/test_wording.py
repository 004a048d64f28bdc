"""The paired test in words."""

from __future__ import annotations

import pytest

from bertline.lifecycle.comparison.wording import verdict_of
from bertline.statistics.intervals import Estimate
from bertline.tasks.contract import Comparison


@pytest.mark.parametrize(
    ("difference", "p_value", "only", "begins"),
    [
        (
            Estimate(0.03, 0.01, 0.05),
            0.002,
            (20, 5),
            "B is better: accuracy +3.0 points (+1.0 to +5.0) for B; only B is",
        ),
        (Estimate(-0.03, -0.05, -0.01), 0.0001, (5, 20), "A is better: accuracy \N{MINUS SIGN}3.0 points"),
        (Estimate(0.01, -0.01, 0.03), 0.4, (9, 7), "No difference can be told: accuracy +1.0 points"),
        (Estimate(0.0, 0.0, 0.0), 1.0, (0, 0), "Both have the same rows right: accuracy does not differ."),
    ],
)
def test_it_says_who_is_better_and_whether_it_may_be_chance(
    difference: Estimate, p_value: float, only: tuple[int, int], begins: str
) -> None:
    said = verdict_of(Comparison("accuracy", 0.9, difference, p_value, 0.9, *only))
    assert said.startswith(begins)
    if only != (0, 0):
        assert said.endswith(
            {0.002: "(p = 0.002).", 0.0001: "(p < 0.001).", 0.4: "This may be chance (p = 0.40)."}[p_value]
        )
