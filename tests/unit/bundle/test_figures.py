from __future__ import annotations

import re

import pytest
from pydantic import JsonValue

from bertline.bundle.figures import Figure, baseline_figures, figures
from bertline.cli.figures_table import print_figures, rows
from bertline.statistics.intervals import Estimate

SPACE = "\N{NARROW NO-BREAK SPACE}"


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
        (Figure("accuracy", 0.8451, 0.8, 1.0), f"84.5{SPACE}%", "80.0–100.0"),
        (Figure("macro_f1", 0.5), f"50.0{SPACE}%", ""),
        (Figure("ece_equal_mass_uncalibrated", 0.05), f"5.0{SPACE}%", ""),
        (Figure("nll", 0.3712, 0.3, 0.4), "0.371", "0.300–0.400"),
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


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "nll"])
def test_card_and_terminal_format_figures_identically(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = Figure(name, 0.8451, 0.8, 0.9)
    print_figures("figures", rows([(name, Estimate(0.8451, 0.8, 0.9))]))
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.split(r" {2,}", line.strip()) == [name, one.text, one.interval]
