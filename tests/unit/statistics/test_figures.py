from __future__ import annotations

import pytest

from bertline.statistics.figures import figure, gain, gain_range, how_many, p_value, percent, percent_range
from bertline.statistics.intervals import Estimate

SPACE = "\N{NARROW NO-BREAK SPACE}"


def test_shares() -> None:
    assert percent(0.8432) == f"84.3{SPACE}%"
    assert percent(-0.0, digits=0) == f"0{SPACE}%"
    assert percent_range(Estimate(0.5, 0.4567, 1.0)) == "45.7–100.0"


@pytest.mark.parametrize(
    ("value", "text"), [(0.068, "+6.8 points"), (-0.0312, "−3.1 points"), (0.0, "0.0 points"), (-0.0001, "0.0 points")]
)
def test_gains(value: float, text: str) -> None:
    assert gain(value) == text


def test_range_of_a_gain() -> None:
    assert gain_range(Estimate(0.01, -0.012, 0.03)) == "−1.2 to +3.0"


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "p < 0.001"), (0.0123, "p = 0.012"), (0.0996, "p = 0.100"), (0.43, "p = 0.43"), (1.0, "p = 1.00")],
)
def test_p_values(p: float, text: str) -> None:
    assert p_value(p) == text


def test_headline_figures_by_their_unit() -> None:
    assert figure("accuracy", Estimate(0.9, 0.8, 0.95)) == (f"90.0{SPACE}%", "80.0–95.0")
    assert figure("NLL", Estimate(0.3, 0.25, 0.35)) == ("0.300", "0.250–0.350")
    assert figure("MCC", Estimate(-0.1, -0.3, 0.1)) == ("−0.100", "−0.300–0.100")
    assert figure("MCC", Estimate(-0.1, -0.3, -0.05)) == ("−0.100", "−0.300 to −0.050")


def test_one_thing_is_not_many() -> None:
    assert [how_many(number, "row") for number in (0, 1, 2, 12_500)] == ["0 rows", "1 row", "2 rows", "12,500 rows"]
