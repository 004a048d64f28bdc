from __future__ import annotations

import pytest
from pydantic import JsonValue

from bertline.bundle.figures import Figure, baseline_figures, figures


def test_numbers_and_estimates_are_figures_and_the_rest_is_not() -> None:
    metrics: dict[str, JsonValue] = {
        "split": "test",
        "rows": 1000,
        "accuracy": {"value": 0.845, "low": 0.822, "high": 0.866},
        "nll": 0.37,
        "calibrated": True,
        "mcc": {"value": None, "low": None, "high": None},
        "per_class": {"positive": {"f1": 0.8}},
    }
    assert figures(metrics) == {
        "accuracy": Figure("accuracy", 0.845, 0.822, 0.866),
        "nll": Figure("nll", 0.37),
    }


@pytest.mark.parametrize(
    ("figure", "text", "interval"),
    [
        (Figure("accuracy", 0.8451, 0.8, 1.0), "84.5 %", "80.0 % to 100.0 %"),
        (Figure("macro_f1", 0.5), "50.0 %", ""),
        (Figure("ece_equal_mass_uncalibrated", 0.05), "5.0 %", ""),
        (Figure("nll", 0.3712, 0.3, 0.4), "0.3712", "0.3000 to 0.4000"),
    ],
)
def test_shares_are_written_in_per_cent(figure: Figure, text: str, interval: str) -> None:
    assert (figure.text, figure.interval) == (text, interval)


def test_baselines_are_read_by_name() -> None:
    metrics: dict[str, JsonValue] = {"baselines": {"majority": {"accuracy": 0.5}, "note": "none"}}
    assert baseline_figures(metrics) == {"majority": {"accuracy": Figure("accuracy", 0.5)}}
    assert baseline_figures({}) == {}


def test_a_figure_from_before_calibration_says_so() -> None:
    assert Figure("ece_uncalibrated", 0.1).title == "expected calibration error before calibration"
    assert Figure("top_3", 0.1).title == "top 3"
